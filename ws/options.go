package ws

// This file holds what a caller sets: limits, the source of keys, and the plug-ins for compression.

// NoLimit, as the value of a limit, means that there is none.
const NoLimit = -1

// Limits that hold when an option is 0.
const (
	DefaultMaxFrame   = 16 << 20 // bytes of payload
	DefaultMaxMessage = 16 << 20 // bytes of payload, inflated
	DefaultMaxDrain   = 1 << 20  // bytes
)

// Options is what a Codec, Session or Conn is told when it is set up. It stays the caller's memory and must not
// change while in use; as it is only read, any number of codecs of one goroutine may share it (but for the
// plug-ins, which serve one connection each). The zero value, like a nil *Options, is a good default.
type Options struct {
	// MaxFrame and MaxMessage limit the payload of an incoming frame and message, in bytes, inclusive. They act
	// on the frame's header, before any payload (rules 49 and 65); a compressed message is counted inflated
	// (rule 118). 0 means 16 MiB; NoLimit means none.
	MaxFrame, MaxMessage int64

	// LongLengths accepts lengths that are not in their shortest form, which RFC 6455 5.2 forbids but some
	// peers send (rules 45 and 46).
	LongLengths bool

	// CheckText makes the codec check that outgoing text is UTF-8, across fragments (rule 94).
	CheckText bool

	// ManualPong and ManualClose leave it to the caller of a Session or Conn to answer a Ping, or a Close.
	ManualPong, ManualClose bool

	// MaxDrain limits the bytes that Conn.Close reads while it waits for the peer to close (rule 85).
	// 0 means 1 MiB.
	MaxDrain int64

	// Keys gives a client its masking keys. nil means crypto/rand, asked anew for each frame: a pool is faster.
	Keys *Keys

	// Inflate and Deflate undo and do the compression that the handshake agreed on (RFC 7692). With nil for
	// Inflate, RSV1 is a violation (rule 40).
	Inflate Inflater
	Deflate Deflater
}

// Inflater undoes permessage-deflate for the incoming messages of one connection (RFC 7692 7.2.2). It is asked
// once a piece of payload, and allocates nothing.
type Inflater interface {
	// Inflate reads compressed bytes from src and writes plain ones to dst; it stops where either is used up.
	// end says that src ends the message, whose last four bytes (00 00 FF FF) the sender has left out. The error
	// is nil when more input or more room is needed, io.EOF once the end of the message was written, after which
	// the next message may begin, and any other when the input is not DEFLATE.
	Inflate(dst, src []byte, end bool) (nDst, nSrc int, err error)
}

// Deflater does permessage-deflate for the outgoing messages of one connection (RFC 7692 7.2.1).
type Deflater interface {
	// Deflate reads plain bytes from src and writes compressed ones to dst; it stops where either is used up. end
	// says that src ends the message. The error is nil when more input or more room is needed, io.EOF once the
	// message was written to its end, without its last four bytes 00 00 FF FF.
	Deflate(dst, src []byte, end bool) (nDst, nSrc int, err error)
}

// noOptions stands in for a nil *Options.
var noOptions Options

// limit returns the limit that v means.
func limit(v, byDefault int64) uint64 {
	switch {
	case v == 0:
		return uint64(byDefault)
	case v < 0:
		return 1<<64 - 1
	}
	return uint64(v)
}
