// Command server is the demo: a WebSocket echo server and a page for the browser that talks to it.
//
//	go run ./examples/server
//
// Then open http://127.0.0.1:1337/. Each connection lives in the fixed memory of a client struct, whatever the size
// of the messages: they are echoed piece by piece, as they arrive.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/embws/embws/examples/browser"
	"github.com/embws/embws/ws"
)

const (
	handshakeTime = 10 * time.Second
	closeTime     = 2 * time.Second
)

func main() {
	addr := flag.String("addr", "127.0.0.1:1337", "`address` to listen on; port 0 picks a free one")
	path := flag.String("path", "/chat", "`path` of the WebSocket; the page is served at / in any case")
	subprotocol := flag.String("subprotocol", "chat", "`name` of the subprotocol to select where it is offered; empty for none")
	flag.Parse()
	if flag.NArg() > 0 || !strings.HasPrefix(*path, "/") {
		flag.Usage()
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetFlags(log.Ltime)
	page := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/"}
	if *path != "/chat" || *subprotocol != "chat" {
		page.RawQuery = url.Values{"path": {*path}, "subprotocol": {*subprotocol}}.Encode()
	}
	log.Printf("listening on %s with the WebSocket at ws://%s%s", &page, listener.Addr(), *path)

	s := &server{ctx: ctx, path: *path, subprotocol: *subprotocol, open: map[net.Conn]bool{}}
	go func() {
		<-ctx.Done()
		_ = listener.Close()
		s.wake()
	}()
	for {
		nc, err := listener.Accept()
		if err != nil {
			break
		}
		s.clients.Add(1)
		go func() {
			defer s.clients.Done()
			s.serve(nc)
		}()
	}
	s.clients.Wait()
}

// server is what all connections share.
type server struct {
	ctx         context.Context
	path        string
	subprotocol string
	clients     sync.WaitGroup

	lock sync.Mutex
	open map[net.Conn]bool
}

// wake makes every blocked connection return with a time-out, so that it notices the end of ctx. (Over TLS it would have
// to be a read deadline, because a time-out of a write ends a TLS connection.)
func (s *server) wake() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for nc := range s.open {
		_ = nc.SetDeadline(time.Now())
	}
}

// setDeadline limits the time of what follows, but leaves a connection awake once the server is to stop.
func (s *server) setDeadline(nc net.Conn, t time.Time) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.ctx.Err() == nil {
		_ = nc.SetDeadline(t)
	}
}

// client is the memory of one connection.
type client struct {
	conn      ws.Conn
	handshake ws.ServerHandshake
	kept      [1024]byte // of the request: target, host, origin, subprotocols
	read      [8192]byte
	write     [8192]byte
}

// serve runs one connection to its end.
func (s *server) serve(nc net.Conn) {
	s.lock.Lock()
	s.open[nc] = true
	if s.ctx.Err() != nil {
		_ = nc.SetDeadline(time.Now())
	}
	s.lock.Unlock()
	defer func() {
		s.lock.Lock()
		delete(s.open, nc)
		s.lock.Unlock()
		_ = nc.Close()
	}()
	s.setDeadline(nc, time.Now().Add(handshakeTime))

	c := new(client)
	c.handshake.Reset(c.kept[:], nil)
	buffers := ws.Buffers{Read: c.read[:], Write: c.write[:]}
	err := c.conn.Serve(nc, &c.handshake, buffers, nil)
	for err == nil && !s.upgrade(c) {
		err = s.respond(c)
		if err == nil {
			err = c.conn.NextRequest()
		}
	}
	if err == nil {
		s.setDeadline(nc, time.Time{})
		log.Printf("%s: open", nc.RemoteAddr())
		err = echo(&c.conn)
	}
	s.end(nc, c, err)
}

// upgrade accepts a request for the WebSocket, and reports whether it was one.
func (s *server) upgrade(c *client) bool {
	h := &c.handshake
	if h.Outcome() != ws.UpgradeRequested || string(h.Path()) != s.path {
		return false
	}
	var a ws.Acceptance
	if s.subprotocol != "" && h.Offers(s.subprotocol) {
		a.Subprotocol = s.subprotocol
	}
	return c.conn.Accept(&a) == nil
}

// respond answers a request that is not for the WebSocket.
func (s *server) respond(c *client) error {
	r := ws.Response{Status: 404, Fields: plainText, Body: []byte("There is nothing here.\n")}
	if c.handshake.Outcome() == ws.PlainRequest {
		switch path := string(c.handshake.Path()); path {
		case "/":
			r = ws.Response{Status: 200, Fields: html, Body: browser.Page}
		case s.path:
			r = ws.Response{Status: 426, Fields: plainText, Body: []byte("This is a WebSocket.\n")}
		}
	}
	return c.conn.Respond(&r)
}

var (
	html      = []ws.Field{{Name: "Content-Type", Value: "text/html; charset=utf-8"}, {Name: "Cache-Control", Value: "no-cache"}}
	plainText = []ws.Field{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}
)

// echo sends back what it reads, until the peer closes.
func echo(conn *ws.Conn) error {
	for {
		piece, payload, err := conn.ReadPiece()
		if err != nil {
			return err
		}
		if _, err = conn.WritePiece(piece.Kind, piece.Is(ws.MessageEnd), payload); err != nil {
			return err
		}
	}
}

// end closes the connection as its end demands, and says what happened.
func (s *server) end(nc net.Conn, c *client, err error) {
	_ = nc.SetDeadline(time.Now().Add(closeTime))
	var broken *ws.Error
	code, why := ws.CloseCode(0), ""
	switch {
	case errors.Is(err, io.EOF):
		if code, reason, ok := c.conn.Session().PeerClose(); ok {
			log.Printf("%s: closed by the client: %d %s", nc.RemoteAddr(), code, strconv.Quote(string(reason)))
		}
	case errors.Is(err, os.ErrDeadlineExceeded) && s.ctx.Err() != nil:
		log.Printf("%s: closing, the server stops", nc.RemoteAddr())
		if code, why = ws.CloseGoingAway, "the server stops"; c.conn.Session().State() != ws.StateOpen {
			return
		}
	case errors.As(err, &broken):
		log.Printf("%s: %v (rule %d, byte %d)", nc.RemoteAddr(), err, broken.Rule, c.conn.Session().Failure().Offset)
	default:
		log.Printf("%s: %v", nc.RemoteAddr(), err)
		return
	}
	_ = c.conn.Close(code, why)
}
