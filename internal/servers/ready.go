package servers

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// waitReady looks again and again until the process serves, has ended, or ctx
// is done. The error wraps errPortTaken if another port would help.
func (s *Server) waitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		if last = s.ready(ctx, p); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			if lower := strings.ToLower(p.log()); strings.Contains(lower, "address already in use") {
				return errPortTaken
			}
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w: %v", ctx.Err(), last)
		}
	}
}

func (s *Server) ready(ctx context.Context, p *process) error {
	if s.config.Kind == Redis {
		// It listens before it says so, and says so after it has loaded its
		// data. Without this line, who answers may be another server.
		if !strings.Contains(p.log(), "eady to accept connections") {
			return errors.New("it has not said that it is ready")
		}
		reply, err := s.ask(ctx, "PING\r\n")
		if err == nil && !strings.HasPrefix(reply, "+PONG") && !strings.HasPrefix(reply, "-NOAUTH") && !strings.HasPrefix(reply, "-NOPERM") {
			err = fmt.Errorf("it answers PING with %q", reply)
		}
		return err
	}
	// The first line is "STAT pid N": memcached tells itself who it is.
	reply, err := s.ask(ctx, "stats\r\n")
	if err == nil && reply != "STAT pid "+strconv.Itoa(p.pid()) {
		err = fmt.Errorf("it answers stats with %q", reply)
	}
	return err
}

// ask sends a line and returns the first line of the reply.
func (s *Server) ask(ctx context.Context, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	network := "tcp"
	if s.config.Unix {
		network = "unix"
	}
	conn, err := s.dial(ctx, network)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(line)); err != nil {
		return "", err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(reply, "\r\n"), err
}

func (s *Server) dial(ctx context.Context, network string) (net.Conn, error) {
	if s.tls != nil {
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, network, s.addr)
	}
	return new(net.Dialer).DialContext(ctx, network, s.addr)
}
