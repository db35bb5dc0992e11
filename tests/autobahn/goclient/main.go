// Command goclient is the project's Go client under the Autobahn cases: it asks the fuzzing server how many
// there are, echoes in each, and has the report written.
package main

import (
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/embws/embws/ws"
)

// caseTime bounds one case, whatever the server does.
const caseTime = 60 * time.Second

func main() {
	server := flag.String("url", "ws://127.0.0.1:9001", "`address` of the fuzzing server")
	agent := flag.String("agent", "go-client", "`name` in the report")
	flag.Parse()
	log.SetFlags(0)
	count := 0
	err := run(*server+"/getCaseCount", func(c *ws.Conn) error {
		_, p, err := c.ReadMessage()
		if err == nil {
			count, err = strconv.Atoi(string(p))
		}
		return err
	})
	if err != nil {
		log.Fatal("getCaseCount: ", err)
	}
	for n := 1; n <= count; n++ {
		err := run(*server+"/runCase?case="+strconv.Itoa(n)+"&agent="+url.QueryEscape(*agent), echo)
		var broken *ws.Error
		if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &broken) {
			log.Printf("case %d: %v", n, err)
		}
	}
	if err := run(*server+"/updateReports?agent="+url.QueryEscape(*agent), func(*ws.Conn) error { return nil }); err != nil && !errors.Is(err, io.EOF) {
		log.Fatal("updateReports: ", err)
	}
}

// run connects to address, does what do says, and closes.
func run(address string, do func(*ws.Conn) error) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(caseTime))
	var keys ws.Keys
	var handshake ws.ClientHandshake
	request := ws.Request{Host: u.Host, Target: u.RequestURI()}
	if err = handshake.Reset(make([]byte, 512), &request, &keys, nil); err != nil {
		return err
	}
	var conn ws.Conn
	buffers := ws.Buffers{Read: make([]byte, 8192), Write: make([]byte, 8192), Message: make([]byte, 64)}
	opt := ws.Options{Keys: &keys}
	if err = conn.Connect(nc, &handshake, buffers, &opt); err != nil {
		return err
	}
	err = do(&conn)
	if closed := conn.Close(ws.CloseNormal, ""); err == nil {
		err = closed
	}
	return err
}

// echo sends back every message, piece by piece, until the server closes.
func echo(c *ws.Conn) error {
	for {
		piece, payload, err := c.ReadPiece()
		if err != nil {
			return err
		}
		if _, err = c.WritePiece(piece.Kind, piece.Is(ws.MessageEnd), payload); err != nil {
			return err
		}
	}
}
