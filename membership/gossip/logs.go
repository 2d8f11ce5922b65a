package gossip

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// memberlistLog is where memberlist writes its log. It turns "[WARN] memberlist:
// text" into a line of slog.
//
// What memberlist calls an error is mostly the network's ordinary weather, and
// comes with each packet: the first of a kind in a minute is a warning, the rest
// is for debugging.
type memberlistLog struct {
	to     *slog.Logger
	closed context.Context // ends with the member: what memberlist says then is of no concern

	mu     sync.Mutex // guards what follows
	minute time.Time
	warned map[string]bool // the beginnings of lines warned of since minute
}

func newMemberlistLog(closed context.Context, to *slog.Logger) *log.Logger {
	return log.New(&memberlistLog{to: to, closed: closed}, "", 0)
}

// reported are lines of which this package has a warning of its own, or none is
// wanted since they belong to the ordinary course of things.
var reported = []string{"ignoring alive message", "Conflicting address", "Refuting", "Rejected", "Blocked", "Failed UDP ping", "Marking", "Suspect"}

func (l *memberlistLog) Write(line []byte) (int, error) {
	level, text := slog.LevelDebug, strings.TrimSpace(string(line))
	if rest, found := strings.CutPrefix(text, "["); found {
		word, rest, _ := strings.Cut(rest, "] ")
		if word == "WARN" || strings.HasPrefix(word, "ERR") {
			level = slog.LevelWarn
		}
		text = rest
	}
	text = strings.TrimPrefix(text, "memberlist: ")
	if level == slog.LevelWarn && (l.closed.Err() != nil || !l.first(text)) {
		level = slog.LevelDebug
	}
	l.to.Log(context.Background(), level, "memberlist: "+text)
	return len(line), nil
}

// first reports whether a line is worth a warning.
func (l *memberlistLog) first(text string) bool {
	for _, known := range reported {
		if strings.HasPrefix(text, known) {
			return false
		}
	}
	beginning := text[:min(len(text), 24)]
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.minute) >= time.Minute {
		l.minute, l.warned = now, make(map[string]bool)
	}
	if l.warned[beginning] {
		return false
	}
	l.warned[beginning] = true
	return true
}
