// Command client says hello to the demo server, prints the reply, and closes cleanly.
//
//	go run ./examples/client
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/embws/embws/ws"
)

func main() {
	target := flag.String("url", "ws://127.0.0.1:1337/chat", "`address` of the server, ws: or wss:")
	subprotocol := flag.String("subprotocol", "chat", "`name` of the subprotocol to offer; empty for none")
	message := flag.String("message", "hello", "`text` to send")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	log.SetFlags(0)
	if err := run(*target, *subprotocol, *message); err != nil {
		log.Fatal(err)
	}
}

func run(target, subprotocol, message string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	nc, err := dial(u)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))

	request := ws.Request{Host: u.Host, Target: u.RequestURI()}
	if subprotocol != "" {
		request.Subprotocols = []string{subprotocol}
	}
	var keys ws.Keys // masking keys from crypto/rand
	var handshake ws.ClientHandshake
	if err = handshake.Reset(make([]byte, 512), &request, &keys, nil); err != nil {
		return err
	}
	var conn ws.Conn
	buffers := ws.Buffers{Read: make([]byte, 512), Write: make([]byte, 512), Message: make([]byte, 4096)}
	if err = conn.Connect(nc, &handshake, buffers, &ws.Options{Keys: &keys}); err != nil {
		if err == ws.ErrStatus {
			return fmt.Errorf("%w: %d", err, handshake.Status())
		}
		return err
	}
	fmt.Printf("connected to %s, subprotocol %q\n", u, handshake.Subprotocol())

	if _, err = conn.WriteMessage(ws.Text, []byte(message)); err != nil {
		return err
	}
	kind, reply, err := conn.ReadMessage()
	if err == io.EOF {
		code, reason, _ := conn.Session().PeerClose()
		return fmt.Errorf("the server closed instead of an answer: %d %q", code, reason)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d bytes: %s\n", kind, len(reply), reply)

	if err = conn.Close(ws.CloseNormal, "bye"); err != nil {
		return err
	}
	code, reason, _ := conn.Session().PeerClose()
	fmt.Printf("closed cleanly: %d %q\n", code, reason)
	return nil
}

// dial connects to the host of u, by TLS for wss.
func dial(u *url.URL) (net.Conn, error) {
	port := u.Port()
	switch u.Scheme {
	case "ws":
		if port == "" {
			port = "80"
		}
		return net.Dial("tcp", net.JoinHostPort(u.Hostname(), port))
	case "wss":
		if port == "" {
			port = "443"
		}
		return tls.Dial("tcp", net.JoinHostPort(u.Hostname(), port), nil)
	}
	return nil, fmt.Errorf("%s: the scheme must be ws or wss", u)
}
