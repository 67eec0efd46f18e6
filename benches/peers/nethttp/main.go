// Go's net/http: URL|@FILE COUNT CONNECTIONS; prints how many 200s it read to their end. It asks for gzip and decodes it, as
// net/http does of itself.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

func main() {
	urls, count, connections := asked()
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}
	if len(urls) > 1 {
		// Descriptors are limited.
		transport.MaxIdleConnsPerHost, transport.MaxConnsPerHost = 1, 8
	}
	client := &http.Client{Transport: transport}
	var next, done int64
	var workers sync.WaitGroup
	for i := 0; i < connections; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				number := atomic.AddInt64(&next, 1) - 1
				if number >= int64(count) {
					return
				}
				response, err := client.Get(urls[number%int64(len(urls))])
				if err != nil {
					log.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					log.Fatal(err)
				}
				response.Body.Close()
				if response.StatusCode == 200 {
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
