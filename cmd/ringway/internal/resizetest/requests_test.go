package resizetest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringway/ringway/simulations/trace"
)

// busyTrace is what the figures are measured with, from the folder that TRACES_DIR
// names. Without it there is the bundled trace.
const busyTrace = "orm-busy.keys.gz"

// requests are those of a trace, as numbers of keys.
type requests struct {
	name  string
	keys  []string // without duplicates
	order []uint32 // places in keys
}

// readRequests reads a trace, the first ones only if limit is above 0.
func readRequests(t testing.TB, r *trace.Reader, name string, limit int) requests {
	t.Helper()
	defer r.Close()
	all, number, request := requests{name: name}, make(map[string]uint32), trace.Request{}
	for limit <= 0 || len(all.order) < limit {
		err := r.Next(&request)
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		n, known := number[string(request.Key)]
		if !known {
			key := string(request.Key)
			n = uint32(len(all.keys))
			number[key], all.keys = n, append(all.keys, key)
		}
		all.order = append(all.order, n)
	}
	return all
}

func bundled(t testing.TB, limit int) requests {
	t.Helper()
	r, err := trace.Bundled(trace.Config{})
	must(t, err)
	return readRequests(t, r, "the bundled trace (web12)", limit)
}

// largest returns the busy trace if it is there, else the bundled one.
func largest(t testing.TB) requests {
	t.Helper()
	dir := os.Getenv("TRACES_DIR")
	path := filepath.Join(dir, busyTrace)
	if _, err := os.Stat(path); dir == "" || err != nil {
		t.Logf("TRACES_DIR does not name a folder with %s: the bundled trace is replayed", busyTrace)
		return bundled(t, 0)
	}
	r, err := trace.Open(path, trace.Config{})
	must(t, err)
	return readRequests(t, r, "orm-busy, database reads of a web shop", 0)
}
