package ws_test

// This file tests what a Session offers to callers that send payload from where it lies, or whose buffers live for one call.

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/embws/embws/ws"
)

func TestSession_SendHeaderLeavesThePayloadToAServer(t *testing.T) {
	var s ws.Session
	var out ws.Output
	out.Reset(make([]byte, 64))
	s.Reset(ws.Server, nil, &out)

	require.NoError(t, s.SendHeader(ws.Binary, true, 70000))
	assert.Equal(t, []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70}, s.Pending())
	assert.ErrorIs(t, s.Ping(nil), ws.ErrFrameOpen, "rule 99")
	assert.ErrorIs(t, s.SendHeader(ws.Binary, true, 1), ws.ErrFrameOpen, "rule 99")

	// A Ping that arrives is answered behind the payload (rule 70).
	ping := []byte{0x89, 0x80, 0, 0, 0, 0}
	_, _, err := s.Receive(ping, nil, make([]ws.Event, 0, 4))
	require.NoError(t, err)
	require.NoError(t, s.Sent(10))
	assert.Empty(t, s.Pending())
	assert.False(t, s.Waiting(), "the answer waits for the payload, not for room")

	assert.ErrorIs(t, s.SentPayload(70001), ws.ErrSentTooMuch)
	require.NoError(t, s.SentPayload(69999))
	assert.Empty(t, s.Pending())
	require.NoError(t, s.SentPayload(1))
	assert.Equal(t, []byte{0x8A, 0}, s.Pending())
}

func TestSession_SendTakesThePayloadOfAHeader(t *testing.T) {
	var s ws.Session
	var out ws.Output
	out.Reset(make([]byte, 64))
	s.Reset(ws.Client, &ws.Options{Keys: &ws.Keys{}}, &out)

	require.NoError(t, s.SendHeader(ws.Text, false, 5))
	assert.ErrorIs(t, s.SentPayload(1), ws.ErrSentTooMuch, "a client's payload must be masked (rule 95)")
	n, err := s.Send(ws.Text, false, []byte("Hello"))
	require.NoError(t, err)
	assert.Equal(t, 5, n)
	assert.Len(t, s.Pending(), 6+5)
	n, err = s.Send(ws.Text, true, nil)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Len(t, s.Pending(), 6+5+6)

	assert.ErrorIs(t, s.SendHeader(ws.Ping, true, 1), ws.ErrOpcodeSend)
	assert.ErrorIs(t, s.SendHeader(ws.Text, true, 1<<63), ws.ErrLengthTopBit)
	require.NoError(t, s.Close(ws.CloseNormal, ""))
	assert.ErrorIs(t, s.SendHeader(ws.Text, true, 1), ws.ErrCloseSent, "rule 71")
}

func TestOutput_LendKeepsWhatHasSpilled(t *testing.T) {
	var s ws.Session
	var out ws.Output
	s.Reset(ws.Server, nil, &out)

	var sent []byte
	small := make([]byte, 3)
	out.Lend(small)
	require.NoError(t, s.Ping([]byte("abcdef"))) // 8 bytes
	for s.Waiting() {
		sent = append(sent, s.Pending()...)
		out.Lend(nil)
		require.True(t, s.Waiting() || len(sent) > 5)
		out.Lend(small)
	}
	sent = append(sent, s.Pending()...)
	assert.Equal(t, "\x89\x06abcdef", string(sent))
	out.Lend(nil)
	assert.Empty(t, s.Pending())
	assert.False(t, s.Waiting())
}

func TestSession_WaitingTellsOfAHeadThatDoesNotFit(t *testing.T) {
	var s ws.Session
	var hs ws.ClientHandshake
	var out ws.Output
	require.NoError(t, hs.Reset(make([]byte, 256), &ws.Request{Host: "example.com", Target: "/"}, nil, nil))
	s.Connect(&hs, nil, &out)

	buf := make([]byte, 50)
	var sent []byte
	for rounds := 0; s.Waiting(); rounds++ {
		require.Less(t, rounds, 100)
		out.Lend(buf)
		sent = append(sent, s.Pending()...)
		out.Lend(nil)
	}
	assert.Len(t, sent, hs.RequestSize())
}

func TestSession_CloseDoesNotPassOverAFrameInProgress(t *testing.T) {
	var s ws.Session
	var out ws.Output
	out.Reset(make([]byte, 64))
	s.Reset(ws.Server, nil, &out)
	require.NoError(t, s.SendHeader(ws.Binary, true, 30))

	// The peer's Close is to be answered behind the payload that is owed, and until then nothing was answered.
	_, _, err := s.Receive([]byte{0x88, 0x80, 0, 0, 0, 0}, nil, make([]ws.Event, 0, 4))
	require.NoError(t, err)
	assert.ErrorIs(t, s.Close(ws.CloseNormal, ""), ws.ErrFrameOpen, "rule 99")
	require.NoError(t, s.Sent(len(s.Pending())))
	require.NoError(t, s.SentPayload(30))
	assert.ErrorIs(t, s.Close(ws.CloseNormal, ""), ws.ErrCloseSent)
	assert.Equal(t, []byte{0x88, 0}, s.Pending())
}

func TestSession_StarvedTellsOfASourceThatFails(t *testing.T) {
	var s ws.Session
	var out ws.Output
	out.Reset(make([]byte, 64))
	s.Reset(ws.Client, &ws.Options{Keys: &ws.Keys{Source: strings.NewReader("")}}, &out)
	_, _, err := s.Receive([]byte{0x89, 0}, nil, make([]ws.Event, 0, 4))
	require.NoError(t, err)
	assert.Empty(t, s.Pending())
	assert.True(t, s.Waiting())
	assert.True(t, s.Starved(), "or a caller would flush for ever")
}
