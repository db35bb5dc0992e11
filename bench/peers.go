package main

// This file brings the peers that own their connection to work on memory.

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// browserRequest is what a current Chrome sends, with a subprotocol asked for.
const browserRequest = "GET /chat HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Connection: Upgrade\r\n" +
	"Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\n" +
	"Origin: http://server.example.com\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Accept-Language: en-US,en;q=0.9\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Sec-GPC: 1\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" +
	"Sec-WebSocket-Protocol: chat\r\n" +
	"\r\n"

// shortRequest has only what must be there, and the subprotocol.
const shortRequest = "GET /chat HTTP/1.1\r\n" +
	"Host: server.example.com\r\n" +
	"Upgrade: websocket\r\n" +
	"Connection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
	"Sec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Protocol: chat\r\n" +
	"\r\n"

// conn is a net.Conn over memory: what is read is data, again and again; what is written stays in wrote until taken.
type conn struct {
	data  []byte
	at    int
	wrote []byte

	// If set, the reader is given the data once for each step that is asked for here, and asking for more than that
	// reports on finished.
	steps    chan int
	finished chan struct{}
	left     int
	running  bool
}

func newConn(data []byte) *conn { return &conn{data: data, wrote: make([]byte, 0, 4096)} }

// newSteppedConn is for peers that read in a loop of their own, in another goroutine.
func newSteppedConn(data []byte) *conn {
	c := newConn(data)
	c.steps, c.finished = make(chan int), make(chan struct{})
	return c
}

// run lets the other goroutine take the data so often, and waits until it asks for more.
func (c *conn) run(steps int) {
	c.steps <- steps
	<-c.finished
}

func (c *conn) Read(p []byte) (int, error) {
	if c.steps != nil && c.at == 0 && c.left == 0 {
		if c.running {
			c.finished <- struct{}{}
		}
		if c.left, c.running = <-c.steps; !c.running {
			return 0, io.EOF
		}
	}
	n := copy(p, c.data[c.at:])
	if c.at += n; c.at == len(c.data) {
		c.at = 0
		c.left--
	}
	return n, nil
}

func (c *conn) Write(p []byte) (int, error) {
	c.wrote = append(c.wrote[:0], p...)
	return len(p), nil
}

func (c *conn) Close() error                     { return nil }
func (c *conn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *conn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// hijacker is an http.ResponseWriter that hands out a connection.
type hijacker struct {
	conn   net.Conn
	rw     *bufio.ReadWriter
	header http.Header
}

func newHijacker(c net.Conn) *hijacker {
	return &hijacker{c, bufio.NewReadWriter(bufio.NewReaderSize(c, 16<<10), bufio.NewWriter(c)), http.Header{}}
}

func (h *hijacker) Header() http.Header         { return h.header }
func (h *hijacker) Write(p []byte) (int, error) { return len(p), nil }
func (h *hijacker) WriteHeader(int)             {}
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, h.rw, nil
}

// request parses a request as a server of net/http does.
func request(s string) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s)))
	must(err)
	return r
}

// answering is the connection of a client: the first thing that is written is its request, the first thing that is
// read the answer; after that it is a conn.
type answering struct {
	conn
	request []byte
	answer  []byte
	open    bool
}

func (c *answering) Write(p []byte) (int, error) {
	if c.open {
		return c.conn.Write(p)
	}
	c.request = append(c.request, p...)
	return len(p), nil
}

func (c *answering) Read(p []byte) (int, error) {
	if !c.open {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.request)))
		if err != nil {
			return 0, err
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		c.answer = []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
		c.open = true
	}
	if len(c.answer) > 0 {
		n := copy(p, c.answer)
		c.answer = c.answer[n:]
		return n, nil
	}
	select {} // nothing arrives any more
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
