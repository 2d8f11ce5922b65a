package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemberlistLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		drop := func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
		closed, end := context.WithCancel(t.Context())
		log := newMemberlistLog(closed, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: drop})))
		tests := []struct{ line, want string }{
			{"[DEBUG] memberlist: Initiating push/pull", `level=DEBUG msg="memberlist: Initiating push/pull"`},
			{"[INFO] memberlist: Suspect b has failed", `level=DEBUG msg="memberlist: Suspect b has failed"`},
			{"[ERR] memberlist: Failed to receive: x", `level=WARN msg="memberlist: Failed to receive: x"`},
			{"[ERR] memberlist: Failed to receive: x", `level=DEBUG msg="memberlist: Failed to receive: x"`},
			{"[ERROR] memberlist: Another", `level=WARN msg="memberlist: Another"`},
			{"[WARN] memberlist: Refuting a suspect message", `level=DEBUG msg="memberlist: Refuting a suspect message"`},
			{"[ERR] memberlist: Conflicting address for b", `level=DEBUG msg="memberlist: Conflicting address for b"`},
			{"[ERR", `level=WARN msg="memberlist: "`},
			{"Err: Could not set the deadline", `level=DEBUG msg="memberlist: Err: Could not set the deadline"`},
		}
		check := func(line, want string) {
			t.Helper()
			out.Reset()
			log.Print(line)
			if got := out.String(); got != want+"\n" {
				t.Errorf("%s: got %s", line, got)
			}
		}
		for _, tt := range tests {
			check(tt.line, tt.want)
		}
		time.Sleep(time.Minute)
		check(tests[2].line, tests[2].want)
		time.Sleep(time.Minute)
		end()
		check(tests[2].line, tests[3].want)
	})
}
