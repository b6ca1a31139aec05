// A server that replaces itself, as those built on a library for that do: on SIGHUP it starts its successor
// with the listening socket, is told by that one to go, and ends when its requests are done; SIGTERM ends it
// the same way.
//
//	endless HOST:PORT
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	inherited := os.Getenv("ENDLESS_CONTINUE") != ""
	var listener net.Listener
	var err error
	if inherited {
		listener, err = net.FileListener(os.NewFile(3, ""))
	} else {
		listener, err = net.Listen("tcp", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)

	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "pid %d\n", os.Getpid())
	})}
	go server.Serve(listener)
	if inherited {
		syscall.Kill(os.Getppid(), syscall.SIGTERM)
	}

	for s := range signals {
		if s != syscall.SIGHUP {
			break
		}
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			log.Fatal(err)
		}
		successor := exec.Command(os.Args[0], os.Args[1:]...)
		successor.Stdout, successor.Stderr = os.Stdout, os.Stderr
		successor.ExtraFiles = []*os.File{file}
		successor.Env = append(os.Environ(), "ENDLESS_CONTINUE=1")
		if err := successor.Start(); err != nil {
			log.Print(err)
		}
	}
	server.Shutdown(context.Background())
}
