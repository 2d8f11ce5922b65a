package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listing is the content of a file with these members.
func listing(ids ...string) string {
	text := "members:\n"
	for _, id := range ids {
		text += fmt.Sprintf("  - {id: %s, address: \"%s:6379\"}\n", id, id)
	}
	return text
}

// watched is a source in virtual time over a real file.
type watched struct {
	*Source
	t       *testing.T
	path    string
	version uint64

	mu   sync.Mutex // guards told
	told []string
}

func watch(t *testing.T, content string) *watched {
	t.Helper()
	w := &watched{t: t, path: filepath.Join(t.TempDir(), "fleet.yaml")}
	w.write(content)
	return w.open()
}

func (w *watched) open() *watched {
	w.t.Helper()
	s, err := Open(Config{Path: w.path, OnError: func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, err.Error())
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { s.Close() })
	w.Source = s
	return w
}

// write writes the file in place.
func (w *watched) write(content string) { mustWrite(w.t, w.path, content) }

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// next waits for a newer view, for two intervals and a little.
func (w *watched) next(wantEpoch uint64, wantIDs string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2100*time.Millisecond)
	defer cancel()
	v, err := w.Next(ctx, w.version)
	if err != nil {
		w.t.Fatalf("no view of %q: %v; told %q", wantIDs, err, w.told)
	}
	w.version = v.Version
	if v.Epoch != wantEpoch || idsOf(v) != wantIDs {
		w.t.Errorf("got epoch %d: %s; want %d: %s", v.Epoch, idsOf(v), wantEpoch, wantIDs)
	}
}

// quiet fails the test if a newer view comes within 5 intervals, or if something
// else was told than this, in part.
func (w *watched) quiet(want ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5100*time.Millisecond)
	defer cancel()
	if v, err := w.Next(ctx, w.version); err == nil {
		w.t.Fatalf("another view: %+v", v)
	}
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	ok := len(w.told) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(w.told[i], want[i])
	}
	if !ok {
		w.t.Errorf("told %q, want %q", w.told, want)
	}
	w.told = nil
}

func idsOf(v membership.View) string {
	var ids []string
	for _, m := range v.Members {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, " ")
}

func inBubble(name string, t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// TestChanges: the ways in which programs change a file.
func TestChanges(t *testing.T) {
	inBubble("in place", t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		w.write(listing("b", "a"))
		w.next(2, "a b")
		w.write("# in another order, said otherwise\n" + listing("a", "b"))
		w.quiet()
		w.write(listing())
		w.quiet("got nothing, want a list") // an empty list is written []
		w.write("members: []")
		w.next(3, "")
		w.quiet()
	})
	inBubble("by renaming", t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		mustWrite(t, w.path+".new", listing("b"))
		if err := errors.Join(os.Rename(w.path, w.path+"~"), os.Rename(w.path+".new", w.path)); err != nil {
			t.Fatal(err)
		}
		w.next(2, "b")
		w.quiet()
	})
	inBubble("by swapping a symbolic link", t, func(t *testing.T) {
		// As Kubernetes does it: fleet.yaml → ..data/fleet.yaml, ..data → a folder.
		dir := t.TempDir()
		for _, id := range []string{"one", "two"} {
			if err := os.Mkdir(filepath.Join(dir, id), 0o700); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, filepath.Join(dir, id, "fleet.yaml"), listing(id))
		}
		w := &watched{t: t, path: filepath.Join(dir, "fleet.yaml")}
		if err := errors.Join(os.Symlink("one", filepath.Join(dir, "..data")), os.Symlink("..data/fleet.yaml", w.path)); err != nil {
			t.Fatal(err)
		}
		w.open()
		w.next(1, "one")
		if err := errors.Join(os.Symlink("two", filepath.Join(dir, "..tmp")), os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")),
			os.RemoveAll(filepath.Join(dir, "one"))); err != nil {
			t.Fatal(err)
		}
		w.next(2, "two")
		w.quiet()
	})
	inBubble("with the same size and time", t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		info, err := os.Stat(w.path)
		if err != nil {
			t.Fatal(err)
		}
		w.write(listing("b"))
		if err := os.Chtimes(w.path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		w.next(2, "b")
	})
}

// TestHalfWrittenFile: a file that is just being written, and would do as it is,
// does not become a fleet without its last nodes.
func TestHalfWrittenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, listing("a", "b", "c"))
		w.next(1, "a b c")
		time.Sleep(500 * time.Millisecond) // never at the moment of a look: either could come first
		for i, ids := range []string{"d", "d e", "d e f", "d e f g"} {
			w.write(listing(strings.Fields(ids)...)) // once an interval
			if i < 3 {
				time.Sleep(time.Second)
			}
		}
		w.next(2, "d e f g")
		w.quiet()
		// Nor is a fault reported that is gone in a moment.
		w.write("members: [")
		time.Sleep(time.Second)
		w.write(listing("a"))
		w.next(3, "a")
		w.quiet()
		// One that keeps its content but is written again and again is not at rest.
		for i := range 5 {
			w.write(listing("z"))
			at := time.Unix(int64(1000+i), 0)
			if err := os.Chtimes(w.path, at, at); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v, err := w.Next(ctx, w.version); err == nil {
			t.Errorf("taken while it changes: %+v", v)
		}
		w.next(4, "z")
	})
}

func TestBadEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, listing("a", "b"))
		w.next(1, "a b")
		w.write("members:\n  - {id: a, adress: h}\n")
		w.quiet("file: " + w.path + `:2:13: a member: unknown field "adress", did you mean "address"?`)
		w.quiet() // once
		w.write("members:\n  - {id: a, address: h}\n")
		w.quiet(w.path + ":2:22: membership: address of member")
		w.write(listing("a", "b")) // undone: nothing has changed
		w.quiet()
		w.write("members:\n  - {id: a, address: h}\n")
		w.quiet(":2:22: membership") // a new edit, told anew
		w.write(listing("a", "b", "c"))
		w.next(2, "a b c")
		w.write(listing("a") + "#" + strings.Repeat("x", maxSize))
		w.quiet(fmt.Sprintf("%s: got more than 8388608 bytes", w.path))
		w.write(listing("c"))
		w.next(3, "c")
	})
}

func TestFileIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.quiet("no such file")
		w.quiet()
		if err := os.Mkdir(w.path, 0o700); err != nil {
			t.Fatal(err)
		}
		w.quiet("got a folder, want a regular file")
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.write(listing("a"))
		w.quiet() // as it was
		for range 2 {
			if err := os.Remove(w.path); err != nil {
				t.Fatal(err)
			}
			w.quiet("no such file")
			w.write(listing("a"))
			w.quiet()
		}
		if err := os.Remove(w.path); err != nil {
			t.Fatal(err)
		}
		w.quiet("no such file") // gone again
		w.write(listing("b"))
		w.next(2, "b")
	})
}

func TestEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, "epoch: 10\n"+listing("a"))
		w.next(10, "a")
		w.write("epoch: 10\n" + listing("b"))
		w.quiet(w.path + ":1:8: epoch: got 10, want above 10")
		w.write("epoch: 9\n" + listing("a"))
		w.quiet(":1:8: epoch: got 9, want above 10")
		w.write("epoch: 11\n" + listing("b"))
		w.next(11, "b")
		w.write("epoch: 20\n" + listing("b")) // the epoch alone
		w.next(20, "b")
		w.write(listing("b")) // no epoch any more: no change
		w.quiet()
		w.write(listing("c"))
		w.next(21, "c")
		w.write("epoch: 21\n" + listing("c"))
		w.quiet()
		w.write("epoch: 22\n" + listing("d"))
		w.next(22, "d")
	})
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	bad, large := filepath.Join(dir, "bad"), filepath.Join(dir, "large")
	mustWrite(t, bad, "members:\n  - {id: a}\n")
	mustWrite(t, large, strings.Repeat("#", maxSize+1))
	for want, cfg := range map[string]Config{
		"file: config Path: got nothing":                 {},
		"file: config Interval: got -1s, want 0 or more": {Path: bad, Interval: -time.Second},
		"no such file": {Path: filepath.Join(dir, "none")},
		"file: " + dir + ": got a folder, want a regular file": {Path: dir},
		"file: " + large + ": got more than 8388608 bytes":     {Path: large},
		"file: " + bad + ":2:6: a member without address":      {Path: bad},
	} {
		if s, err := Open(cfg); err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}

// TestCloseWaits: after Close nothing is told any more.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "fleet.yaml")
		mustWrite(t, path, listing("a"))
		telling, told := make(chan bool), false
		s, err := Open(Config{Path: path, OnError: func(error) {
			close(telling)
			time.Sleep(time.Minute)
			told = true
		}})
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, path, "members: x")
		<-telling
		if s.Close(); !told {
			t.Error("Close did not wait")
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t, listing("a"))
		w.next(1, "a")
		waiting := make(chan error)
		go func() {
			_, err := w.Next(context.Background(), 1)
			waiting <- err
		}()
		if err := errors.Join(w.Close(), w.Close()); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, membership.ErrClosed) {
			t.Errorf("a waiting Next: %v", err)
		}
	})
}
