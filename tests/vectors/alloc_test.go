package vectors

// This file plays cases again and counts allocations: there are none, whatever arrives and whatever it announces.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

func TestVectors_AllocateNothing(t *testing.T) {
	cases, err := Cases()
	require.NoError(t, err)
	for i := range cases {
		c := &cases[i]
		var run func()
		switch c.Kind {
		case "frames":
			run = framesRun(t, c)
		case "request":
			run = requestRun(t, c)
		case "response":
			run = responseRun(t, c)
		default:
			continue
		}
		assert.Zero(t, testing.AllocsPerRun(2, run), "%s:%d: %s", c.File, c.Line, c.Name)
	}
}

// framesRun receives and answers a case through a Session, 100 bytes at a time.
func framesRun(t *testing.T, c *Case) func() {
	opt, err := options(c)
	require.NoError(t, err)
	var session ws.Session
	var output ws.Output
	room, in, events := make([]byte, 256), make([]byte, len(c.In)), make([]ws.Event, 0, 3)
	return func() {
		output.Reset(room)
		session.Reset(roles[c.Role], opt, &output)
		copy(in, c.In)
		receiveAll(&session, in, events)
		_ = session.Failure()
		_ = session.End()
	}
}

// receiveAll feeds a session until its input is used up or it fails.
func receiveAll(session *ws.Session, in []byte, events []ws.Event) {
	for len(in) > 0 {
		n, found, err := session.Receive(in[:min(100, len(in))], nil, events)
		for p := session.Pending(); len(p) > 0; p = session.Pending() {
			_ = session.Sent(len(p))
		}
		if err != nil || len(found) == 1 && found[0].Kind == ws.Handshake {
			return
		}
		in = in[n:]
	}
}

// requestRun receives the first request of a case, and accepts or refuses it.
func requestRun(t *testing.T, c *Case) func() {
	opt, size, err := handshakeOptions(c)
	require.NoError(t, err)
	var h ws.ServerHandshake
	var session ws.Session
	var output ws.Output
	store, room, events := make([]byte, size), make([]byte, 256), make([]ws.Event, 0, 1)
	return func() {
		h.Reset(store, opt)
		output.Reset(room)
		session.Serve(&h, nil, &output)
		receiveAll(&session, c.In, events)
		for names := h.Subprotocols(); ; {
			if _, ok := names.Next(); !ok {
				break
			}
		}
		_, _ = h.Header("Cookie")
		for session.Accept(nil) == ws.ErrNoRoom {
			_ = session.Sent(len(session.Pending()))
		}
	}
}

// responseRun sends the request of a case and receives the response.
func responseRun(t *testing.T, c *Case) func() {
	opt, size, err := handshakeOptions(c)
	require.NoError(t, err)
	var h ws.ClientHandshake
	var session ws.Session
	var output ws.Output
	req, keys := requestOf(c), &ws.Keys{Source: &cycle{bytes: append([]byte{0}, c.Keys...)}}
	store, room, events := make([]byte, size), make([]byte, 256), make([]ws.Event, 0, 1)
	return func() {
		if h.Reset(store, req, keys, opt) != nil {
			return
		}
		output.Reset(room)
		session.Connect(&h, nil, &output)
		for p := session.Pending(); len(p) > 0; p = session.Pending() {
			_ = session.Sent(len(p))
		}
		receiveAll(&session, c.In, events)
		_, _ = h.Header("Location")
	}
}
