// Command firmware is a device's main loop: a WebSocket echo server on one byte stream, which is a UART on a
// device and standard input and output here. It lives in 1 KiB of buffers, all declared below; it has no heap,
// no goroutine and no clock, and takes messages of any size.
package main

import (
	"io"
	"os"

	"github.com/embws/embws/ws"
)

// All the memory that the connection needs: 1,024 bytes of buffers, and two structs of 1,000 bytes together.
var (
	kept      [512]byte // what the handshake keeps of the request
	rx        [256]byte // what arrives
	tx        [256]byte // what leaves
	handshake ws.ServerHandshake
	conn      ws.Conn
	uart      stream
	options   = ws.Options{MaxFrame: ws.NoLimit, MaxMessage: ws.NoLimit}
)

func main() { serve(&uart) }

// serve runs one connection to its end.
func serve(line io.ReadWriter) {
	handshake.Reset(kept[:], nil)
	err := conn.Serve(line, &handshake, ws.Buffers{Read: rx[:], Write: tx[:]}, &options)
	if err == nil {
		err = conn.Accept(nil) // a request for anything but a WebSocket is an error here
	}
	for err == nil {
		var piece ws.Event
		var payload []byte
		if piece, payload, err = conn.ReadPiece(); err == nil {
			_, err = conn.WritePiece(piece.Kind, piece.Is(ws.MessageEnd), payload)
		}
	}
	_ = conn.Close(ws.CloseNormal, "") // after the peer's Close nothing is left to say; after a failure it waits for the peer to go
}

// stream is the device's byte stream.
type stream struct{}

func (*stream) Read(p []byte) (int, error)  { return os.Stdin.Read(p) }
func (*stream) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
