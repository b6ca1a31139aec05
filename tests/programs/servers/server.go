// A server as Go programs are: net/http, nothing about signals, nothing about reloads. SIGTERM kills it in the
// middle of whatever it does.
//
//	server [-delay 20ms] HOST:PORT | unix:PATH
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	delay := flag.Duration("delay", 0, "how long an answer takes")
	flag.Parse()
	network, address := "tcp", flag.Arg(0)
	if strings.HasPrefix(address, "unix:") {
		network, address = "unix", strings.TrimPrefix(address, "unix:")
		os.Remove(address) // as everybody does, so that a file left behind does no harm
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(*delay)
		fmt.Fprintf(w, "pid %d\n", os.Getpid())
	})))
}
