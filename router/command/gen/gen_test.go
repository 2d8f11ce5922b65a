package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/internal/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFileIsCurrent: the checked-in file is what the generator writes, where
// the server is the version that it was written from.
func TestFileIsCurrent(t *testing.T) {
	checkedIn, err := os.ReadFile("../redis7.go")
	if err != nil {
		t.Fatal(err)
	}
	server := servertest.Redis(t)
	out := filepath.Join(t.TempDir(), "out.go")
	if err := run(context.Background(), server.Addr(), out); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	firstLine, _, _ := strings.Cut(string(checkedIn), "\n")
	if !strings.HasPrefix(string(written), firstLine) {
		found, _, _ := strings.Cut(string(written), "\n")
		t.Skipf("NOT COMPARED: the server here is another one: %s", found)
	}
	if string(written) != string(checkedIn) {
		t.Error("redis7.go is not what the generator writes: go run ./router/command/gen -o router/command/redis7.go")
	}
}

// TestStartsAServer: without an address, it starts one and leaves nothing.
func TestStartsAServer(t *testing.T) {
	servertest.Require(t, servers.Redis)
	out := filepath.Join(t.TempDir(), "out.go")
	if err := run(context.Background(), "", out); err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(out); err != nil || !strings.Contains(string(written), `{Name: "GET", Arity: 2, Keys:`) {
		t.Errorf("%v: %.100q", err, written)
	}
}

func TestUnreachable(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.go")
	if err := run(context.Background(), "127.0.0.1:1", out); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file was written")
	}
}

// TestUnknownSpecs: what the generator does not understand is an error, not a
// line that is wrong.
func TestUnknownSpecs(t *testing.T) {
	index := []any{"type", "index", "spec", []any{"index", int64(1)}}
	span := []any{"type", "range", "spec", []any{"lastkey", int64(0), "keystep", int64(1), "limit", int64(0)}}
	for name, spec := range map[string]map[string]any{
		"flags":     {"flags": []any{"XX"}, "begin_search": index, "find_keys": span},
		"find_keys": {"flags": []any{"RO"}, "begin_search": index, "find_keys": []any{"type", "else", "spec", []any{}}},
		"limit": {"flags": []any{"RO"}, "begin_search": index,
			"find_keys": []any{"type", "range", "spec", []any{"lastkey", int64(-1), "keystep", int64(1), "limit", int64(2)}}},
	} {
		if line, err := (fact{name: "X", specs: []map[string]any{spec}}).line(); err == nil {
			t.Errorf("%s: %s", name, line)
		}
	}
}
