package dataserver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A respServer speaks enough of Redis's protocol to say what a real server says
// only at bad moments.
type respServer struct {
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	dials int
}

// hangUp as an answer ends the connection without one.
const hangUp = ""

// startResp starts a server that answers each command with what answer returns
// for it, and for its number on its connection.
func startResp(t testing.TB, answer func(n int, command []string) string) *respServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &respServer{listener: listener, conns: make(map[net.Conn]bool)}
	s.running.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[nc] = true
			s.dials++
			s.mu.Unlock()
			s.running.Go(func() { serve(nc, answer) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.dropAll()
		s.running.Wait()
	})
	return s
}

func (s *respServer) url() string { return "redis://" + s.listener.Addr().String() }

// dropAll ends all connections and returns how many there ever were.
func (s *respServer) dropAll() (dials int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
	}
	return s.dials
}

func serve(nc net.Conn, answer func(n int, command []string) string) {
	defer nc.Close()
	in := bufio.NewReader(nc)
	for n := 0; ; n++ {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		text := answer(n, command)
		if text == hangUp {
			return
		}
		if _, err := io.WriteString(nc, text); err != nil {
			return
		}
	}
}

// readCommand reads "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".
func readCommand(in *bufio.Reader) (command []string, err error) {
	number := func(mark string) (n int, err error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimPrefix(strings.TrimRight(line, "\r\n"), mark))
	}
	words, err := number("*")
	if err != nil {
		return nil, err
	}
	for range words {
		size, err := number("$")
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		command = append(command, string(word[:size]))
	}
	command[0] = strings.ToUpper(command[0])
	return command, nil
}

func bulk(text string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text) }

// healthy answers as a server that can be a node.
func healthy(command []string) string {
	switch command[0] {
	case "HELLO":
		return "-ERR unknown command 'HELLO'\r\n"
	case "PING":
		return "+PONG\r\n"
	case "INFO":
		return bulk("# X\r\nredis_mode:standalone\r\nrun_id:" + strings.Repeat("a", 40) + "\r\nrole:master\r\nused_memory:1\r\nmaxmemory:0\r\n")
	case "AUTH", "SELECT":
		return "+OK\r\n"
	}
	return "-ERR unknown command\r\n"
}
