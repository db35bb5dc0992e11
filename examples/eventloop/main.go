//go:build linux

// Command eventloop is an echo server for many connections in little memory: raw epoll, one goroutine, one
// buffer for all reads and one for all writes. An idle connection costs a client struct and nothing else.
//
//	go run ./examples/eventloop -addr 127.0.0.1:1338
//
// Memory beyond that is lent for a while: a greeting during the handshake, a backlog while a client does not
// read. Time-outs, for handshakes and for silent clients, are left to your program.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/embws/embws/ws"
)

const (
	readSize = 16 << 10

	// What goes out in answer to one read is never much more than what came in: a server's header is shorter than a
	// client's, but a read may begin inside of a frame, or complete a Ping.
	writeSize = readSize + ws.MaxControlFrameSize + ws.MaxHeaderSize

	maxDrain = 1 << 20 // bytes dropped from a client after our last words, before its connection is cut
	perChunk = 64      // clients in one piece of memory
)

// client is one connection. While it is idle, it is all that the connection costs.
type client struct {
	session  ws.Session
	greeting *greeting // while the handshake runs
	backlog  *backlog  // while the socket takes no more
	drained  int32     // bytes dropped after our last words
	fd       int32     // 0 when this place is free
}

// greeting is what a handshake needs.
type greeting struct {
	handshake ws.ServerHandshake
	store     [ws.HandshakeStore]byte
	next      *greeting
}

// backlog keeps what a socket does not take.
type backlog struct {
	output ws.Output
	buf    [writeSize]byte
	next   *backlog
}

// loop is the server.
type loop struct {
	epoll, listener int
	clients         []*[perChunk]client // by file descriptor
	open            int
	full            bool      // no descriptor is left, and the listener is not watched
	greetings       *greeting // free ones
	backlogs        *backlog  // free ones

	output ws.Output // of every client without a backlog; empty between two of them
	read   [readSize]byte
	write  [writeSize]byte
	events [64]ws.Event
	ready  [64]syscall.EpollEvent
}

func main() {
	addr := flag.String("addr", "127.0.0.1:1338", "`address` to listen on, an IP address and a port; port 0 picks a free one")
	flag.Parse()
	at, err := netip.ParseAddrPort(*addr)
	if err != nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	l := new(loop)
	bound, err := l.listen(at)
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	fmt.Printf("listening on ws://%s/\n", bound)
	if err = l.run(stop); err != nil {
		log.Fatal(err)
	}
}

// run serves until stop, then says good-bye to everybody.
func (l *loop) run(stop <-chan os.Signal) error {
	l.output.Reset(l.write[:])
	for {
		select {
		case <-stop:
			l.goodbye()
			return nil
		default:
		}
		n, err := syscall.EpollWait(l.epoll, l.ready[:], 500)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for i := 0; i < max(n, 0); i++ {
			e := &l.ready[i]
			switch c := l.client(int(e.Fd)); {
			case int(e.Fd) == l.listener:
				l.accept()
			case c.fd == 0: // closed by an event before this one
			case c.backlog != nil && e.Events&(syscall.EPOLLERR|syscall.EPOLLHUP) == 0:
				l.flush(c)
			default:
				l.receive(c)
			}
		}
	}
}

// accept takes in all that wait.
func (l *loop) accept() {
	for {
		fd, _, err := syscall.Accept4(l.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			switch err {
			case syscall.EAGAIN, syscall.EINTR, syscall.ECONNABORTED:
			default: // out of descriptors, most likely: go on when one is free
				log.Print("accept: ", err)
				l.full = l.watch(syscall.EPOLL_CTL_MOD, l.listener, 0) == nil
			}
			return
		}
		if err = l.watch(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN); err != nil {
			log.Print("epoll: ", err)
			_ = syscall.Close(fd)
			continue
		}
		c := l.client(fd)
		g := l.newGreeting()
		*c = client{fd: int32(fd), greeting: g}
		g.handshake.Reset(g.store[:], nil)
		c.session.Serve(&g.handshake, nil, &l.output)
		l.open++
	}
}

// receive reads once, and echoes what has come.
func (l *loop) receive(c *client) {
	n, err := syscall.Read(int(c.fd), l.read[:])
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return
	}
	if n <= 0 || err != nil {
		l.close(c)
		return
	}
	if over(c) {
		if c.drained += int32(n); c.drained > maxDrain {
			l.close(c)
		}
		return
	}
	for in := l.read[:n]; len(in) > 0; {
		n, found, err := c.session.Receive(in, nil, l.events[:0])
		for _, e := range found {
			if err := l.event(c, e, in); err != nil {
				log.Print(err)
				l.output.Reset(l.write[:])
				l.close(c)
				return
			}
		}
		in = in[n:]
		if err != nil {
			break
		}
	}
	l.flush(c)
}

// event answers one event.
func (l *loop) event(c *client, e ws.Event, in []byte) error {
	switch e.Kind {
	case ws.Handshake:
		if c.greeting.handshake.Outcome() == ws.PlainRequest {
			return c.session.Respond(&ws.Response{Status: 404, Close: true})
		}
		return c.session.Accept(nil)
	case ws.Text, ws.Binary:
		payload := c.session.Payload(e, in, nil)
		_, err := c.session.Send(e.Kind, e.Is(ws.MessageEnd), payload)
		if errors.Is(err, ws.ErrCloseSeen) || errors.Is(err, ws.ErrFailed) {
			return nil // the peer has closed, or broken a rule, behind this message
		}
		return err
	}
	return nil
}

// flush writes what is pending. What the socket does not take goes to a backlog, and nothing more is read until
// it is gone.
func (l *loop) flush(c *client) {
	for {
		p := c.session.Pending()
		if len(p) == 0 {
			break
		}
		n, err := syscall.Write(int(c.fd), p)
		switch err {
		case nil:
			_ = c.session.Sent(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			if c.backlog == nil {
				l.block(c)
			}
			return
		default:
			if c.backlog == nil {
				l.output.Reset(l.write[:])
			}
			l.close(c)
			return
		}
	}
	if c.backlog != nil {
		l.unblock(c)
	}
	if over(c) {
		_ = syscall.Shutdown(int(c.fd), syscall.SHUT_WR) // rule 85: and then drain, so that our last words arrive
		return
	}
	if s := c.session.State(); s == ws.StateHandshake || s == ws.StateRequest {
		return
	}
	if c.greeting != nil {
		c.greeting.next, l.greetings = l.greetings, c.greeting
		c.greeting = nil
	}
}

// over reports whether all is said, and the client's end is awaited.
func over(c *client) bool {
	s := c.session.State()
	return s == ws.StateClosed || s == ws.StateFailed
}

func (l *loop) block(c *client) {
	b := l.backlogs
	if b == nil {
		b = new(backlog)
	} else {
		l.backlogs = b.next
	}
	b.output.Reset(b.buf[:])
	_ = b.output.Move(&l.output) // it is as large
	c.backlog = b
	c.session.SetOutput(&b.output)
	if err := l.watch(syscall.EPOLL_CTL_MOD, int(c.fd), syscall.EPOLLOUT); err != nil {
		l.close(c)
	}
}

func (l *loop) unblock(c *client) {
	c.backlog.next, l.backlogs = l.backlogs, c.backlog
	c.backlog = nil
	c.session.SetOutput(&l.output)
	if err := l.watch(syscall.EPOLL_CTL_MOD, int(c.fd), syscall.EPOLLIN); err != nil {
		l.close(c)
	}
}

// close ends a connection and frees its place.
func (l *loop) close(c *client) {
	if c.greeting != nil {
		c.greeting.next, l.greetings = l.greetings, c.greeting
	}
	if c.backlog != nil {
		c.backlog.next, l.backlogs = l.backlogs, c.backlog
	}
	_ = syscall.Close(int(c.fd))
	*c = client{}
	l.open--
	if l.full {
		l.full = l.watch(syscall.EPOLL_CTL_MOD, l.listener, syscall.EPOLLIN) != nil
	}
}

// goodbye closes all connections with 1001.
func (l *loop) goodbye() {
	log.Printf("closing %d connections", l.open)
	for _, chunk := range l.clients {
		for i := range chunk {
			c := &chunk[i]
			if c.fd == 0 {
				continue
			}
			if c.session.State() == ws.StateOpen {
				_ = c.session.Close(ws.CloseGoingAway, "the server stops")
				l.flush(c)
			}
			if c.fd != 0 {
				l.close(c)
			}
		}
	}
}

// client returns the place of the connection with that file descriptor.
func (l *loop) client(fd int) *client {
	for len(l.clients) <= fd/perChunk {
		l.clients = append(l.clients, new([perChunk]client))
	}
	return &l.clients[fd/perChunk][fd%perChunk]
}

func (l *loop) newGreeting() *greeting {
	g := l.greetings
	if g == nil {
		return new(greeting)
	}
	l.greetings = g.next
	return g
}
