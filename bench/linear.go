package main

// This file holds the rows that show the handshake's parser to be linear.

import (
	"fmt"
	"strings"

	"github.com/embws/embws/ws"
)

var linearRows = []func() *row{
	linearRow("many fields", func() string { return manyFields(64 << 10) }),
	linearRow("many fields", func() string { return manyFields(8 << 10) }),
	linearRow("one long field", func() string {
		return strings.TrimSuffix(browserRequest, "\r\n") + "X-Long: " + strings.Repeat("abcdefg ", 8<<10-110) + "\r\n\r\n"
	}),
}

// manyFields returns a request of about size bytes.
func manyFields(size int) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(browserRequest, "\r\n"))
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "X-Field-%04d: of a common length, such as a cookie or a token has\r\n", i)
	}
	return b.String() + "\r\n"
}

func linearRow(what string, request func() string) func() *row {
	const (
		whole   = "whole"
		single  = "one byte a call"
		empty   = "an empty function a byte"
		nothing = "Receive of no byte, a byte"
	)
	return func() *row {
		data := []byte(request())
		opt := &ws.HandshakeOptions{MaxHead: ws.NoLimit, MaxFields: ws.NoLimit}
		r := &row{
			name: fmt.Sprintf("receive %.0f KiB of head, %s", float64(len(data))/1024, what),
			contract: "A request of that size, of which the usual fields are kept, received by ServerHandshake in one call or in " +
				"one call a byte. Times are of a byte.",
			units: len(data), bytes: 1,
		}
		add := func(name string, loop func(h *ws.ServerHandshake)) *candidate {
			var h ws.ServerHandshake
			store := make([]byte, ws.HandshakeStore)
			c := &candidate{name: name, loop: func(steps int) {
				for range steps {
					h.Reset(store, opt)
					loop(&h)
				}
			}}
			r.cands = append(r.cands, c)
			c.result = func() []byte {
				return fmt.Appendf(nil, "%v %s %s", h.Outcome(), h.Target(), h.Host())
			}
			return c
		}
		add(whole, func(h *ws.ServerHandshake) {
			if _, done, err := h.Receive(data); !done || err != nil {
				panic(err)
			}
		})
		add(single, func(h *ws.ServerHandshake) {
			for i := range data {
				if _, _, err := h.Receive(data[i : i+1]); err != nil {
					panic(err)
				}
			}
		})
		add(empty, func(*ws.ServerHandshake) {
			for i := range data {
				if _, _, err := receiveNothing(data[i : i+1]); err != nil {
					panic(err)
				}
			}
		}).result = nil
		add(nothing, func(h *ws.ServerHandshake) {
			for i := range data {
				if _, _, err := h.Receive(data[i:i]); err != nil {
					panic(err)
				}
			}
		}).result = nil
		r.remark = func(r *row) string {
			w, s, e, n := r.find(whole).min(), r.find(single).min(), r.find(empty).min(), r.find(nothing).min()
			byFunction, byReceive := (s-e)/w, max(0, s-n)/w
			return fmt.Sprintf("by the minimum, a byte that comes alone costs %.1f times a byte of the whole if a call is taken to cost what "+
				"an empty function does (%s), and %.1f times if it is taken to cost what a Receive of no byte does (%s). The goal "+
				"is 3, the call aside.", byFunction, atMost(byFunction, 3), byReceive, atMost(byReceive, 3))
		}
		return r
	}
}

//go:noinline
func receiveNothing([]byte) (int, bool, error) { return 0, false, nil }

func atMost(v, goal float64) string {
	if v <= goal {
		return "met"
	}
	return "MISSED"
}
