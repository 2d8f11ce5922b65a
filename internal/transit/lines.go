package transit

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Lines are connections for a mover, beside those of a client. They are dialled as
// they are needed, and as many as are in use at a time. Safe for concurrent use.
type Lines struct {
	client *redis.Client

	mu     sync.Mutex
	free   []*line
	all    map[*line]struct{}
	closed bool
}

// NewLines returns connections to the client's server. They are the caller's to
// close.
func NewLines(client *redis.Client) *Lines {
	return &Lines{client: client, all: make(map[*line]struct{})}
}

// Close ends what is under way, with an error.
func (s *Lines) Close() {
	s.mu.Lock()
	all := s.all
	s.closed, s.all, s.free = true, nil, nil
	s.mu.Unlock()
	for l := range all {
		l.close()
	}
}

var errLines = errors.New("transit: closed")

// with has f use a line for itself.
func (s *Lines) with(ctx context.Context, f func(l *line) error) error {
	l, err := s.take(ctx)
	if err != nil {
		return err
	}
	l.begin()
	err = f(l)
	var answer said
	s.give(l, err == nil || errors.As(err, &answer))
	return err
}

func (s *Lines) take(ctx context.Context) (*line, error) {
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		l := s.free[n-1]
		s.free = s.free[:n-1]
		s.mu.Unlock()
		return l, nil
	}
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, errLines
	}
	l, err := newLine(ctx, s.client)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		l.close()
		return nil, errLines
	}
	s.all[l] = struct{}{}
	return l, nil
}

// give takes a line back. One that broke takes those that nobody uses with it: if
// the server was restarted, they are of no use either.
func (s *Lines) give(l *line, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed: // and so is the line
		return
	case good:
		s.free = append(s.free, l)
		return
	}
	for _, broken := range append(s.free, l) {
		delete(s.all, broken)
		broken.close()
	}
	s.free = nil
}

// Process returns which process the server is, by its run ID. A connection does not
// outlive a process, so that a line is asked for no more than a sign of life.
func (s *Lines) Process(ctx context.Context) (id string, err error) {
	err = s.with(ctx, func(l *line) error {
		l.command("PING")
		if err := l.flush(ctx); err != nil {
			return err
		}
		id = l.process
		_, err := l.next('+')
		return err
	})
	return id, err
}

// run is Redis.run over a line. A script that the server does not have is sent to it
// by the client first.
func (s *Lines) run(ctx context.Context, c call) (reply []any, err error) {
	err = s.with(ctx, func(l *line) error {
		l.array(3 + c.words)
		l.word("EVALSHA")
		l.word(c.script.Hash())
		l.number(int64(c.keys))
		c.write(l)
		for range 2 {
			if err := l.flush(ctx); err != nil {
				return err
			}
			answer, err := l.reply()
			if err != nil {
				return err
			}
			switch answer := answer.(type) {
			case []any:
				reply = answer
				return nil
			case said:
				if err = answer; !strings.HasPrefix(string(answer), "NOSCRIPT") {
					return err
				}
			case nil:
				return nil
			default:
				return errReply
			}
			if err := c.script.Load(ctx, s.client).Err(); err != nil {
				return err
			}
		}
		return errors.New("transit: the server does not keep scripts")
	})
	return reply, err
}

// glance is Redis.GlanceFenced over a line.
func (s *Lines) glance(ctx context.Context, f Fence) (looks Looks, fenced bool, err error) {
	err = s.with(ctx, func(l *line) error {
		l.command("TIME")
		l.command("GET", f.key())
		if err := l.flush(ctx); err != nil {
			return err
		}
		at, err := l.reply()
		if err != nil {
			return err
		}
		fence, err := l.reply()
		if err != nil {
			return err
		}
		if refused, is := fence.(said); is {
			return refused
		}
		since, err := millis(at)
		looks, fenced = Looks{{Since: since}}, fence == f.value()
		return err
	})
	if err != nil || !fenced {
		return nil, false, err
	}
	return looks, true, nil
}

// millis reads the reply to TIME: seconds since 1970, and microseconds.
func millis(reply any) (int64, error) {
	if refused, is := reply.(said); is {
		return 0, refused
	}
	list, _ := reply.([]any)
	if len(list) != 2 {
		return 0, errReply
	}
	var n [2]int64
	for i, part := range list {
		text, _ := part.(string)
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, errReply
		}
	}
	return n[0]*1000 + n[1]/1000, nil
}
