// Answers that take their time, by Go's net/http; see streams.js. Nothing about signals, nothing about reloads. Port 8080 and,
// with TLS and HTTP/2, 8443, where gRPC is answered as well; the directory has key.pem and cert.pem.
//
//	streams DIRECTORY
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/net/websocket"
)

var me = fmt.Sprintf("pid %d\n", os.Getpid())

func pause(r *http.Request) {
	ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
	time.Sleep(time.Duration(ms) * time.Millisecond)
}

func say(w http.ResponseWriter, text string) {
	io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

// What gRPC puts on HTTP/2: messages with their length before them, and the status in the trailer.
func frame(text string) string {
	length := make([]byte, 5)
	binary.BigEndian.PutUint32(length[1:], uint32(len(text)))
	return string(length) + text
}

func call(w http.ResponseWriter, r *http.Request, answers int) {
	var length [5]byte
	if _, err := io.ReadFull(r.Body, length[:]); err != nil {
		return
	}
	question := make([]byte, binary.BigEndian.Uint32(length[1:]))
	if _, err := io.ReadFull(r.Body, question); err != nil {
		return
	}
	ms, _ := strconv.Atoi(string(question))
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.(http.Flusher).Flush()
	for i := 0; i < answers; i++ {
		if i > 0 || answers == 1 {
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
		say(w, frame(me))
	}
	w.Header().Set("Grpc-Status", "0")
}

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { say(w, me) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		pause(r)
		io.WriteString(w, me)
	})
	http.HandleFunc("/poll", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		pause(r)
		io.WriteString(w, me)
	})
	http.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		say(w, "01234")
		pause(r)
		say(w, "56789")
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; i < 3; i++ {
			if i > 0 {
				pause(r)
			}
			say(w, fmt.Sprintf("data: %d\n\n", i))
		}
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	http.Handle("/ws", websocket.Server{Handler: func(ws *websocket.Conn) {
		for {
			var message []byte
			if websocket.Message.Receive(ws, &message) != nil {
				return
			}
			websocket.Message.Send(ws, message)
		}
	}})
	http.HandleFunc("/graced.Work/Slow", func(w http.ResponseWriter, r *http.Request) { call(w, r, 1) })
	http.HandleFunc("/graced.Work/Stream", func(w http.ResponseWriter, r *http.Request) { call(w, r, 3) })

	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil)) }()
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:8443", filepath.Join(os.Args[1], "cert.pem"), filepath.Join(os.Args[1], "key.pem"), nil))
}
