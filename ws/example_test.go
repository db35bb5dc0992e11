package ws_test

import (
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/embws/embws/ws"
)

// A server and a client over a pipe.
func ExampleConn() {
	serverEnd, clientEnd := net.Pipe()
	go func() {
		defer serverEnd.Close()
		var handshake ws.ServerHandshake
		handshake.Reset(make([]byte, ws.HandshakeStore), nil)
		var conn ws.Conn
		buffers := ws.Buffers{Read: make([]byte, 256), Write: make([]byte, 256), Message: make([]byte, 1024)}
		if conn.Serve(serverEnd, &handshake, buffers, nil) != nil || conn.Accept(nil) != nil {
			return
		}
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil {
				return // io.EOF after a clean close
			}
			if _, err = conn.WriteMessage(kind, message); err != nil {
				return
			}
		}
	}()

	var keys ws.Keys // masking keys, from crypto/rand
	var handshake ws.ClientHandshake
	err := handshake.Reset(make([]byte, ws.HandshakeStore), &ws.Request{Host: "example.com", Target: "/echo"}, &keys, nil)
	if err != nil {
		panic(err)
	}
	var conn ws.Conn
	buffers := ws.Buffers{Read: make([]byte, 256), Write: make([]byte, 256), Message: make([]byte, 1024)}
	if err = conn.Connect(clientEnd, &handshake, buffers, &ws.Options{Keys: &keys}); err != nil {
		panic(err)
	}
	if _, err = conn.WriteMessage(ws.Text, []byte("hello")); err != nil {
		panic(err)
	}
	kind, message, err := conn.ReadMessage()
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s: %s\n", kind, message)
	fmt.Println("close:", conn.Close(ws.CloseNormal, "bye"))
	// Output:
	// text: hello
	// close: <nil>
}

// A message larger than memory, piece by piece through 8 bytes.
func ExampleConn_ReadPiece() {
	transport := struct {
		io.Reader
		io.Writer
	}{strings.NewReader("\x01\x09a message\x80\x0C that is cut\x88\x00"), io.Discard}
	var conn ws.Conn
	conn.Reset(transport, ws.Client, ws.Buffers{Read: make([]byte, 8), Write: make([]byte, 8)}, 0, nil)
	for {
		e, payload, err := conn.ReadPiece()
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s %q end=%v\n", e.Kind, payload, e.Is(ws.MessageEnd))
	}
	// Output:
	// text "a mess" end=false
	// text "age" end=false
	// text " th" end=false
	// text "at is cu" end=false
	// text "t" end=true
	// EOF
}

// Two frames in one buffer, the second not yet whole.
func ExampleCodec_Decode() {
	var c ws.Codec
	c.Reset(ws.Client, nil) // a client receives unmasked frames

	buf := []byte("\x81\x05hello\x82\x04ab")
	n, events, err := c.Decode(buf, nil, make([]ws.Event, 0, 16))
	fmt.Println(n, err)
	for _, e := range events {
		fmt.Printf("%s %q end=%v left=%d\n", e.Kind, c.Payload(e, buf, nil), e.Is(ws.MessageEnd), e.Left)
	}
	// Output:
	// 11 <nil>
	// text "hello" end=true left=0
	// binary "ab" end=false left=2
}

// A violation says which rule was broken, and where.
func ExampleCodec_Failure() {
	var c ws.Codec
	c.Reset(ws.Client, nil)
	_, _, err := c.Decode([]byte("\x81\x03ab\xFF"), nil, make([]ws.Event, 0, 4))
	f := c.Failure()
	fmt.Println(err)
	fmt.Println("rule", f.Err.Rule, "in", f.Err.Section, "at byte", f.Offset, "close with", f.Err.Code)

	var frame [ws.MaxControlFrameSize]byte
	n, _ := c.Close(frame[:], f.Err.Code, "")
	fmt.Println(n, "bytes to send")
	// Output:
	// ws: a text message is not UTF-8
	// rule 89 in RFC 6455 8.1 at byte 4 close with 1007
	// 8 bytes to send
}

// A large payload that is sent from where it lies, behind its header (writev).
func ExampleCodec_EncodeHeader() {
	var c ws.Codec
	c.Reset(ws.Server, nil)
	payload := make([]byte, 100_000)

	var header [ws.MaxHeaderSize]byte
	n, err := c.EncodeHeader(header[:], ws.Binary, true, uint64(len(payload)))
	fmt.Printf("% x %v\n", header[:n], err)
	buffers := net.Buffers{header[:n], payload}
	_, _ = buffers.WriteTo(io.Discard)
	fmt.Println(c.Sent(uint64(len(payload))))
	// Output:
	// 82 7f 00 00 00 00 00 01 86 a0 <nil>
	// <nil>
}

// An end of a connection without a transport.
func ExampleSession() {
	var out ws.Output
	out.Reset(make([]byte, 256))
	var s ws.Session
	s.Reset(ws.Client, nil, &out) // the handshake was done elsewhere

	in := []byte("\x89\x02hi\x81\x05hello") // a Ping, and a message
	memory := make([]byte, 1024)
	for len(in) > 0 {
		n, m, err := s.Next(in, memory)
		in = in[n:]
		if err != nil {
			panic(err)
		}
		if m.Kind != 0 {
			fmt.Printf("%s %q\n", m.Kind, m.Payload)
		}
	}
	pending := s.Pending() // the Pong
	fmt.Println(len(pending), "bytes to send")
	_ = s.Sent(len(pending))
	// Output:
	// ping "hi"
	// text "hello"
	// 8 bytes to send
}

// What a server sees of a request before it answers.
func ExampleServerHandshake() {
	var h ws.ServerHandshake
	h.Reset(make([]byte, ws.HandshakeStore), &ws.HandshakeOptions{Keep: []string{"Cookie"}})
	request := "GET /chat?room=7 HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Origin: https://example.com\r\nCookie: id=42\r\nSec-WebSocket-Protocol: chat, superchat\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	n, done, err := h.Receive([]byte(request))
	fmt.Println(n == len(request), done, err, h.Outcome())
	cookie, _ := h.Header("cookie")
	fmt.Printf("%s %s %s %v\n", h.Path(), h.Query(), cookie, h.Offers("chat"))

	var answer [256]byte
	n, err = h.Accept(answer[:], &ws.Acceptance{Subprotocol: "chat"})
	fmt.Printf("%.12s, %d bytes, %v\n", answer[:n], n, err)
	// Output:
	// true true <nil> upgrade requested
	// /chat room=7 id=42 true
	// HTTP/1.1 101, 159 bytes, <nil>
}
