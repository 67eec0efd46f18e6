// fasthttp: URL|@FILE COUNT CONNECTIONS; prints how many 200s it read to their end. It neither asks for gzip nor decodes it.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	urls, count, connections := asked()
	client := &fasthttp.Client{MaxConnsPerHost: connections, NoDefaultUserAgentHeader: true}
	if len(urls) > 1 {
		// Descriptors are limited.
		client.MaxConnsPerHost, client.MaxConnWaitTimeout, client.MaxIdleConnDuration = 8, time.Minute, time.Second
	}
	var next, done int64
	var workers sync.WaitGroup
	for i := 0; i < connections; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			for {
				number := atomic.AddInt64(&next, 1) - 1
				if number >= int64(count) {
					return
				}
				request.SetRequestURI(urls[number%int64(len(urls))])
				if err := client.Do(request, response); err != nil {
					log.Fatal(err)
				}
				if response.StatusCode() == 200 && len(response.Body()) > 0 {
					atomic.AddInt64(&done, 1)
				}
			}
		}()
	}
	workers.Wait()
	fmt.Println(done)
}

func asked() (urls []string, count, connections int) {
	if len(os.Args) != 4 {
		log.Fatal("usage: URL|@FILE COUNT CONNECTIONS")
	}
	urls = []string{os.Args[1]}
	if strings.HasPrefix(os.Args[1], "@") {
		file, err := os.ReadFile(os.Args[1][1:])
		if err != nil {
			log.Fatal(err)
		}
		urls = strings.Split(strings.TrimSpace(string(file)), "\n")
	}
	var err error
	if count, err = strconv.Atoi(os.Args[2]); err != nil {
		log.Fatal(err)
	}
	if connections, err = strconv.Atoi(os.Args[3]); err != nil {
		log.Fatal(err)
	}
	return urls, count, connections
}
