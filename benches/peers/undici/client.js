// undici's Agent and its `request`: URL|@FILE COUNT CONNECTIONS; prints how many 200s it read to their end.
import { readFileSync } from "node:fs";
import { Agent, request } from "undici";

const [url, count, connections] = process.argv.slice(2);
const urls = url.startsWith("@") ? readFileSync(url.slice(1), "utf8").trimEnd().split("\n") : [url];
// Over many hosts as few as descriptors allow.
const pool = urls.length > 1 ? { connections: 8, keepAliveTimeout: 1000 } : { connections: Number(connections) };
const agent = new Agent({ ...pool, pipelining: 1 });
let next = 0;
let done = 0;

async function work() {
  while (next < Number(count)) {
    const { statusCode, body } = await request(urls[next++ % urls.length], { dispatcher: agent });
    await body.arrayBuffer();
    done += statusCode === 200;
  }
}

await Promise.all(Array.from({ length: Number(connections) }, work));
await agent.close();
console.log(done);
