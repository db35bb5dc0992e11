// Package ws encodes and decodes WebSocket (RFC 6455), for clients and servers, where memory is counted: it
// does no I/O, starts no goroutine, reads no clock and allocates nothing. Every buffer is the caller's, of any
// size, down to one byte.
//
// # Which type to use
//
// The package has three layers. Each can be used without the ones above it.
//
//	Conn     whole messages over any io.ReadWriter: a socket, TLS, a serial line. Most programs need only this.
//	Session  the same without a transport: feed bytes, take messages, take bytes to send. For event loops.
//	Codec    frames alone, in batches, unmasked in place. For proxies, gateways and whoever counts nanoseconds.
//
// A connection begins with an HTTP upgrade: ServerHandshake and ClientHandshake, which Conn and Session drive.
//
// # A server
//
//	var conn ws.Conn
//	var handshake ws.ServerHandshake
//	handshake.Reset(make([]byte, ws.HandshakeStore), nil)
//	buffers := ws.Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 65536)}
//	defer conn.Close(ws.CloseNormal, "") // whatever happens: it sends what is due, and waits for the peer; set a deadline
//	if err := conn.Serve(socket, &handshake, buffers, nil); err != nil {
//		return err // the refusal was sent
//	}
//	if err := conn.Accept(nil); err != nil { // or look at handshake, and Respond
//		return err
//	}
//	for {
//		kind, message, err := conn.ReadMessage()
//		if err != nil {
//			return err // io.EOF: closed cleanly
//		}
//		if _, err = conn.WriteMessage(kind, message); err != nil {
//			return err
//		}
//	}
//
// # Four promises
//
// 1. No I/O, no clock, no goroutine, no callback, and no allocation on any path, errors included. (Conn calls its transport; the default random source is
// crypto/rand.)
//
// 2. Every buffer is the caller's and may have any size. A message of 16 MiB passes through 32-byte buffers. What arrives may be split
// anywhere: one byte at a time gives the same events as all at once, and a failure the same rule, offset and close
// code.
//
// 3. Decode eats all it is given, so there is no tail to carry. The few exceptions are named there.
//
// 4. Strict, and loud: each rule of RULES.md is kept. The first violation ends the connection for good, names the close
// code to send, and delivers nothing after it.
//
// # Errors
//
// All errors are predeclared values of the type *Error, with the rule's number, the close code and the section
// of the RFC, but for those of a Conn's transport, which come through as they are. errors.Is and errors.As work
// on both. A Failure tells at which byte of the stream a rule was broken, and by which frame header.
//
// Too small a destination changes nothing and says so by ErrNoRoom. (The calls that go on piece by piece, such as
// Session.Send and ServerHandshake.Accept, use it to say that more is to come; each says which it means.)
//
// A codec that is fed the bytes of a handshake fails at the first: "RSV1 is set" on the letter H or G.
//
// # Memory
//
// A Codec takes 208 bytes and a Session 248, handshake and Output not included: an idle connection needs
// neither. A Conn takes about 700. All are plain values, to be embedded or kept in arrays.
//
// # Use by several goroutines
//
// Every value has one user at a time; there is no lock inside. Different values are independent, but for what they
// share by pointer: Keys and Output serve one goroutine.
//
// # Writing while another goroutine reads
//
// A Conn has one user, so the goroutine that reads is the one that writes. Others hand it what to send, and wake it
// by a read deadline in the past; the reader looks at its queue after each time-out, and after it has set a new
// deadline, so that no wake-up is lost:
//
//	// any goroutine
//	queue <- message
//	socket.SetReadDeadline(time.Now())
//
//	// the owner of the Conn
//	for {
//		socket.SetReadDeadline(nextPing)
//		for waiting := true; waiting; {
//			select {
//			case message := <-queue:
//				conn.WriteMessage(ws.Text, message)
//			default:
//				waiting = false
//			}
//		}
//		m, err := conn.Next() // also shows Pongs
//		if errors.Is(err, os.ErrDeadlineExceeded) {
//			continue // something to send, or time for conn.Ping
//		}
//		...
//	}
//
// A wake-up between the look at the queue and Next sets the deadline, so Next returns at once. Where the transport has
// no deadlines, as on a serial line, use a Session: it never blocks.
//
// # Build tags
//
//	embws_norand  leaves out crypto/rand: Keys.Source must be set
//	purego        no assembly: without it, payloads are masked by AVX2 on amd64 where there is
package ws
