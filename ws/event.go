package ws

// Handshake is the Opcode of the event by which a Session says that the peer's handshake head was received.
// It is no frame, and never on the wire.
const Handshake Opcode = 16

// Event tells of a piece of payload or of a control frame in the input of Decode. It holds no pointer and takes
// 24 bytes, the same in memory in Go and in C: a batch costs no write barrier.
//
// Data comes in pieces as it arrives. A continuation frame has the Kind of the message it continues (rule 59). A
// control frame comes whole.
type Event struct {
	Start  uint64    // where the payload lies: an index into buf, into out (InOut), or into the codec (Kept); see Payload
	Left   uint64    // bytes of this frame's payload that are still to come
	Length uint32    // bytes of payload in this event, at most 1 GiB
	Kind   Opcode    // Text, Binary, Ping, Pong, Close; from a Session also Handshake
	Flags  Flags     // the edges that this piece touches
	Code   CloseCode // of a Close: its code, or CloseNoCode if it has none (rule 72); else 0
}

// Flags says which edges of frame and message an Event covers, and where its payload lies. A frame that starts
// without starting a message is a continuation frame. At FrameStart, Length + Left is the length of the frame.
type Flags uint8

// The flags. A short message in one frame has all four edges.
const (
	FrameStart   Flags = 1 << iota // the first piece of a frame
	FrameEnd                       // the last piece of a frame
	MessageStart                   // the first piece of a message
	MessageEnd                     // the last piece of a message
	InOut                          // the payload lies in out: it was inflated
	Kept                           // the payload lies in the codec: the input had split this control frame
	Final                          // the frame ends its message (FIN), known from its first piece on

	wholeMessage = FrameStart | FrameEnd | MessageStart | MessageEnd | Final
)

// Is reports whether all flags of f are set.
func (e *Event) Is(f Flags) bool { return e.Flags&f == f }

// maxPiece bounds the payload of one event, so that its length fits 32 bits.
const maxPiece = 1 << 30

// Payload returns the payload of an event that the last call of Decode gave, where buf and out are the slices
// given to that call. The bytes lie in buf, in out or in the codec, and stay until the next call of Decode. For
// a Close it is the body: the code's two bytes and the reason. An event that does not fit the slices gives nil.
func (c *Codec) Payload(e Event, buf, out []byte) []byte {
	from := buf
	switch {
	case e.Flags&Kept != 0:
		from = c.control[:]
	case e.Flags&InOut != 0:
		from = out
	}
	end := e.Start + uint64(e.Length)
	if end > uint64(len(from)) || e.Start > end {
		return nil
	}
	return from[e.Start:end:end]
}
