// A server as Go programs are: net/http, nothing about signals, nothing about reloads. SIGTERM kills it in the
// middle of whatever it does.
//
//	server [-delay 20ms] [-status 500] [-die 3s] HOST:PORT | unix:PATH | fd:NUMBER
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	delay := flag.Duration("delay", 0, "how long an answer takes")
	status := flag.Int("status", http.StatusOK, "what every answer is")
	die := flag.Duration("die", 0, "how long after it listens it crashes; 0: never")
	flag.Parse()
	listener, err := listen(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	if *die > 0 {
		time.AfterFunc(*die, func() { os.Exit(7) })
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(*delay)
		w.WriteHeader(*status)
		fmt.Fprintf(w, "pid %d\n", os.Getpid())
	})))
}

func listen(address string) (net.Listener, error) {
	network := "tcp"
	if strings.HasPrefix(address, "fd:") {
		fd, err := strconv.Atoi(strings.TrimPrefix(address, "fd:"))
		if err != nil {
			return nil, err
		}
		return net.FileListener(os.NewFile(uintptr(fd), "passed"))
	}
	if strings.HasPrefix(address, "unix:") {
		network, address = "unix", strings.TrimPrefix(address, "unix:")
		os.Remove(address) // as everybody does, so that a file left behind does no harm
	}
	return net.Listen(network, address)
}
