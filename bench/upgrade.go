package main

// This file holds the rows of the server's opening handshake.

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"

	coder "github.com/coder/websocket"
	"github.com/embws/embws/ws"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

var upgradeRows = []func() *row{
	upgradeRow("upgrade, a browser's request", browserRequest, 2),
	upgradeRow("upgrade, the shortest request", shortRequest, 0),
}

func upgradeRow(name, req string, times float64) func() *row {
	return func() *row {
		r := &row{
			name: name,
			contract: fmt.Sprintf("%d bytes of request are read once (one copy), parsed, checked, and answered by a 101 "+
				"that chooses the subprotocol chat. embws also keeps target, host, origin and lists for the caller and "+
				"checks the grammar of all fields.", len(req)),
			units: 1, bytes: len(req),
			cands: []*candidate{
				upgradeOurs(req), upgradeGobwas(req), upgradeGorilla(req), upgradeCoder(req), upgradeGws(req),
			},
		}
		if times > 0 {
			r.goals = []goal{{gobwasUpgrader, times}}
		}
		return r
	}
}

func upgradeOurs(req string) *candidate {
	var (
		h      ws.ServerHandshake
		in     = make([]byte, len(req))
		out    = make([]byte, 512)
		store  = make([]byte, ws.HandshakeStore)
		accept = ws.Acceptance{Subprotocol: "chat"}
		wrote  int
	)
	return &candidate{
		name: "embws ServerHandshake",
		loop: func(steps int) {
			for range steps {
				copy(in, req)
				h.Reset(store, nil)
				_, done, err := h.Receive(in)
				if !done || err != nil {
					panic(err)
				}
				wrote, err = h.Accept(out, &accept)
				if err != nil {
					panic(err)
				}
			}
		},
		result: func() []byte { return response(out[:wrote]) },
	}
}

const gobwasUpgrader = "gobwas Upgrader"

// memory is an io.ReadWriter for one upgrade.
type memory struct {
	in  bytes.Reader
	out []byte
}

func (m *memory) Read(p []byte) (int, error) { return m.in.Read(p) }
func (m *memory) Write(p []byte) (int, error) {
	m.out = append(m.out, p...)
	return len(p), nil
}

func upgradeGobwas(req string) *candidate {
	var (
		m    = memory{out: make([]byte, 0, 512)}
		data = []byte(req)
		up   = gobwas.Upgrader{Protocol: func(s []byte) bool { return string(s) == "chat" }}
	)
	return &candidate{
		name: gobwasUpgrader,
		note: "buffers from its pool",
		loop: func(steps int) {
			for range steps {
				m.in.Reset(data)
				m.out = m.out[:0]
				_, err := up.Upgrade(&m)
				must(err)
			}
		},
		result: func() []byte { return response(m.out) },
	}
}

const throughHTTP = "http.ReadRequest, then its upgrade on a hijacked connection, which it makes"

// hijackLoop parses the request as net/http does, and upgrades.
func hijackLoop(req string, nc *conn, upgrade func(w *hijacker, r *http.Request)) func(steps int) {
	var data bytes.Reader
	br := bufio.NewReader(&data)
	w := newHijacker(nc)
	source := []byte(req)
	return func(steps int) {
		for range steps {
			data.Reset(source)
			br.Reset(&data)
			r, err := http.ReadRequest(br)
			must(err)
			clear(w.header)
			upgrade(w, r)
		}
	}
}

func upgradeGorilla(req string) *candidate {
	nc := newConn(nil)
	up := gorilla.Upgrader{Subprotocols: []string{"chat"}}
	return &candidate{
		name: "gorilla Upgrader",
		note: throughHTTP,
		loop: hijackLoop(req, nc, func(w *hijacker, r *http.Request) {
			_, err := up.Upgrade(w, r, nil)
			must(err)
		}),
		result: func() []byte { return response(nc.wrote) },
	}
}

// coderWriter writes the head as net/http does before Hijack: coder leaves that to it.
type coderWriter struct {
	*hijacker
	out bytes.Buffer
}

func (w *coderWriter) WriteHeader(status int) {
	fmt.Fprintf(&w.out, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	_ = w.header.Write(&w.out)
	w.out.WriteString("\r\n")
}

func upgradeCoder(req string) *candidate {
	nc := newConn(nil)
	var cw coderWriter
	opt := &coder.AcceptOptions{Subprotocols: []string{"chat"}}
	return &candidate{
		name: "coder Accept",
		note: throughHTTP,
		loop: hijackLoop(req, nc, func(w *hijacker, r *http.Request) {
			cw.hijacker = w
			cw.out.Reset()
			c, err := coder.Accept(&cw, r, opt)
			must(err)
			_ = c.CloseNow()
		}),
		result: func() []byte { return response(cw.out.Bytes()) },
	}
}

func upgradeGws(req string) *candidate {
	nc := newConn(nil)
	up := gws.NewUpgrader(&gwsHandler{}, &gws.ServerOption{SubProtocols: []string{"chat"}})
	return &candidate{
		name: "gws Upgrader",
		note: throughHTTP,
		loop: hijackLoop(req, nc, func(w *hijacker, r *http.Request) {
			_, err := up.Upgrade(w, r)
			must(err)
		}),
		result: func() []byte { return response(nc.wrote) },
	}
}

// response reads a 101 and returns what all candidates must have said alike.
func response(wire []byte) []byte {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), nil)
	must(err)
	return fmt.Appendf(nil, "%d %s %s %s", r.StatusCode, r.Header.Get("Upgrade"),
		r.Header.Get("Sec-WebSocket-Accept"), r.Header.Get("Sec-WebSocket-Protocol"))
}
