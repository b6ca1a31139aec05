// h3 URL CONNECTIONS PAUSE: asks over HTTP/3, on so many connections and again and again, until SIGTERM; "asking" on
// standard output once each connection has an answer, "busy" when there were 40 times as many, and at the end "REQUESTS FAILED LASTED NEW": how many connections had
// the same server all the time, and by whom the last new one was answered. A connection that fails is not made anew.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lucas-clemente/quic-go"
	"github.com/lucas-clemente/quic-go/http3"
)

var requests, failed, lasted, enoughToBeBusy int64

func client() (*http.Client, *http3.RoundTripper) {
	transport := &http3.RoundTripper{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		QuicConfig:      &quic.Config{MaxIdleTimeout: time.Minute},
	}
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}, transport
}

func ask(c *http.Client, url string) (string, error) {
	response, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil {
		return "", err
	}
	if response.StatusCode != 200 {
		return "", fmt.Errorf("%s", response.Status)
	}
	return response.Header.Get("X-Who"), nil
}

func count(err error) {
	if atomic.AddInt64(&requests, 1) == enoughToBeBusy {
		fmt.Println("busy")
	}
	if err != nil {
		atomic.AddInt64(&failed, 1)
		fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05.000"), err)
	}
}

func main() {
	url := os.Args[1]
	connections, _ := strconv.Atoi(os.Args[2])
	pause, _ := time.ParseDuration(os.Args[3])
	enoughToBeBusy = int64(40 * connections)
	enough := make(chan struct{})
	var asking, ended sync.WaitGroup
	asking.Add(connections)
	ended.Add(connections)
	for i := 0; i < connections; i++ {
		go func() {
			defer ended.Done()
			c, transport := client()
			defer transport.Close()
			first, err := ask(c, url)
			count(err)
			asking.Done()
			same := err == nil
			for {
				select {
				case <-enough:
					if same {
						atomic.AddInt64(&lasted, 1)
					}
					return
				case <-time.After(pause):
				}
				who, err := ask(c, url)
				count(err)
				same = same && err == nil && who == first
			}
		}()
	}
	asking.Wait()
	fmt.Println("asking")
	last := ""
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	for running := true; running; {
		c, transport := client()
		who, err := ask(c, url)
		count(err)
		last = who
		transport.Close()
		select {
		case <-stop:
			running = false
		case <-time.After(pause):
		}
	}
	close(enough)
	ended.Wait()
	fmt.Println(requests, failed, lasted, last)
}
