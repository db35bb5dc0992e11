//go:build unix

package interop

// This file speaks with the scripts in peers, in lines of JSON.
//
// A client takes commands on standard input, each with an id, and answers with one line of that id. Commands run side by
// side. Connections have names:
//
//	open     url, subprotocols             status; subprotocol and extensions, or the body of a refusal
//	send     kind, parts, pings            sends a message; several parts are fragments, pings come after each
//	receive                                kind, data; or the kind close with code and reason
//	ping     data                          data, of the Pong
//	close    code, reason                  the code and reason that came back
//
// A server prints where it listens and how each connection has closed, by the name in the query. It selects chat, offers to
// compress, and does what the path says:
//
//	/chat                              echoes
//	/fragments                         echoes in three fragments
//	/greet?text=T                      sends T at once, then echoes
//	/ping?payload=P                    pings, sends the payload of the Pong as text, then echoes
//	/close?code=N&reason=R             closes
//	/drop                              drops TCP
//	/refuse?status=N&why=W&body=B      refuses, with the field X-Why
//
// Both end with their standard input, and data is base64 on the way.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// library is a peer: how to start a client and a server of it, or why that cannot be.
type library struct {
	name           string
	client, server []string
	missing        string
}

// eachLibrary runs a test with every peer.
func eachLibrary(t *testing.T, test func(t *testing.T, l library)) {
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			if l.missing != "" {
				t.Skip(l.missing)
			}
			test(t, l)
		})
	}
}

// said is a line of a peer.
type said struct {
	ID    int    `json:"id"`
	Error string `json:"error"`

	Status      int    `json:"status"`
	Subprotocol string `json:"subprotocol"`
	Extensions  string `json:"extensions"`
	Body        string `json:"body"`

	Kind   string `json:"kind"`
	Data   []byte `json:"data"`
	Code   int    `json:"code"`
	Reason string `json:"reason"`

	Event string `json:"event"`
	Name  string `json:"name"`
	Port  int    `json:"port"`
}

// peer is a running script.
type peer struct {
	*process
	lock    sync.Mutex
	last    int
	waiting map[int]chan said
	events  chan said // the lines without an id
}

func startPeer(t *testing.T, command []string) *peer {
	t.Helper()
	p := &peer{waiting: map[int]chan said{}, events: make(chan said, 1000)}
	p.process = start(t, eachLine(p.hear), command[0], command[1:]...)
	return p
}

// hear takes a line that the script has printed.
func (p *peer) hear(line []byte) {
	var s said
	if err := json.Unmarshal(line, &s); err != nil {
		s = said{Event: "garbage", Error: string(line)}
	}
	p.lock.Lock()
	answered := p.waiting[s.ID]
	delete(p.waiting, s.ID)
	p.lock.Unlock()
	if answered == nil {
		answered = p.events
	}
	answered <- s
}

// command is what a client is told.
type command struct {
	ID           int      `json:"id"`
	Do           string   `json:"do"`
	Name         string   `json:"name"`
	URL          string   `json:"url,omitempty"`
	Subprotocols []string `json:"subprotocols,omitempty"`
	Kind         string   `json:"kind,omitempty"`
	Parts        [][]byte `json:"parts,omitempty"`
	Pings        bool     `json:"pings,omitempty"`
	Data         *[]byte  `json:"data,omitempty"`
	Code         int      `json:"code,omitempty"`
	Reason       *string  `json:"reason,omitempty"`
}

// do gives a client a command and waits for the answer.
func (p *peer) do(c command) (said, error) {
	answered := make(chan said, 1)
	p.lock.Lock()
	p.last++
	c.ID = p.last
	p.waiting[c.ID] = answered
	line, err := json.Marshal(c)
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	p.lock.Unlock()
	if err != nil {
		return said{}, err
	}
	select {
	case s := <-answered:
		if s.Error != "" {
			return s, fmt.Errorf("%s: %s", c.Do, s.Error)
		}
		return s, nil
	case <-p.ended:
		return said{}, errors.New("the peer has ended")
	case <-time.After(patience):
		return said{}, fmt.Errorf("%s: no answer", c.Do)
	}
}

// connection is a connection of a client, by name.
type connection struct {
	*peer
	name string
}

// open opens a connection and demands that it offers chat and gets it, and that its offer to compress is not taken up.
func (p *peer) open(t *testing.T, name, url string) connection {
	t.Helper()
	s, err := p.do(command{Do: "open", Name: name, URL: url, Subprotocols: []string{"soap", "chat"}})
	require.NoError(t, err)
	require.Equal(t, 101, s.Status)
	require.Equal(t, "chat", s.Subprotocol)
	require.Empty(t, s.Extensions, "compression was not to be chosen")
	return connection{p, name}
}

func (c connection) send(t *testing.T, kind string, pings bool, parts ...[]byte) {
	t.Helper()
	_, err := c.do(command{Do: "send", Name: c.name, Kind: kind, Parts: parts, Pings: pings})
	require.NoError(t, err)
}

func (c connection) receive(t *testing.T) said {
	t.Helper()
	s, err := c.do(command{Do: "receive", Name: c.name})
	require.NoError(t, err)
	return s
}

// echo sends a message and demands the same back.
func (c connection) echo(t *testing.T, kind string, pings bool, parts ...[]byte) {
	t.Helper()
	c.send(t, kind, pings, parts...)
	s := c.receive(t)
	require.Equal(t, kind, s.Kind)
	requireSame(t, bytes.Join(parts, nil), s.Data)
}

func (c connection) ping(t *testing.T, payload []byte) {
	t.Helper()
	s, err := c.do(command{Do: "ping", Name: c.name, Data: &payload})
	require.NoError(t, err)
	require.Equal(t, "pong", s.Kind)
	requireSame(t, payload, s.Data)
}

// close closes and demands that the code comes back.
func (c connection) close(t *testing.T, code int, reason string) {
	t.Helper()
	s, err := c.do(command{Do: "close", Name: c.name, Code: code, Reason: &reason})
	require.NoError(t, err)
	require.Equal(t, "close", s.Kind)
	require.Equal(t, code, s.Code)
}

// event waits for an event of a server, for the connection of that name, and lets others pass.
func (p *peer) event(t *testing.T, what, name string) said {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case s := <-p.events:
			if s.Event == what && s.Name == name {
				return s
			}
			require.NotEqual(t, "garbage", s.Event, "%s", s.Error)
		case <-p.ended:
			require.FailNow(t, "the peer has ended")
		case <-late:
			require.FailNowf(t, "no such event", "%s of %q", what, name)
		}
	}
}

// startPeerServer starts a server of a library and returns its address too.
func startPeerServer(t *testing.T, l library) (p *peer, addr string) {
	t.Helper()
	p = startPeer(t, l.server)
	return p, net.JoinHostPort("127.0.0.1", strconv.Itoa(p.event(t, "listening", "").Port))
}

// requireSame is require.Equal without printing a mebibyte.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		require.FailNowf(t, "other bytes than expected", "%d bytes: %.200q\nexpected %d: %.200q", len(got), got, len(want), want)
	}
}

// pattern returns n bytes of which no short run repeats near by.
func pattern(n int) []byte {
	p := make([]byte, n)
	x := uint32(n) + 1
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// sizes are those of payloads on both sides of the edges in the header's form (RFC 6455 5.2).
var sizes = []int{0, 1, 125, 126, 65535, 65536, 1 << 20}

// texts are messages that are not ASCII alone.
var texts = map[string]string{
	"nothing":   "",
	"ASCII":     "hello, world",
	"two bytes": "Grüße, ωμέγα",
	"all":       "aé€😀\u0000\ufeff\U0010ffff",
}
