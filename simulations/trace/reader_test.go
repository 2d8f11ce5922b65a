package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// request is a Request that outlives the next one.
type request struct {
	Key                      string
	Op                       Op
	Size, KeySize, TTL, Time int64
}

// readAll returns the requests before the first error, and that error; nil
// stands for io.EOF.
func readAll(r *Reader) (all []request, err error) {
	var req Request
	for {
		if err := r.Next(&req); err == io.EOF {
			return all, nil
		} else if err != nil {
			return all, err
		}
		all = append(all, request{string(req.Key), req.Op, req.Size, req.KeySize, req.TTL, req.Time})
	}
}

func readText(t testing.TB, text string, cfg Config) ([]request, error) {
	t.Helper()
	r, err := NewReader(strings.NewReader(text), "x", cfg)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return readAll(r)
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func key(k string) request {
	return request{Key: k, Size: Unknown, KeySize: int64(len(k)), Time: Unknown}
}

func TestAccepted(t *testing.T) {
	long := strings.Repeat("k", MaxLine)
	const meta = "op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase\n"
	for _, c := range []struct {
		name, text string
		cfg        Config
		format     Format
		want       []request
	}{
		{"keys", "a\nb b\na\n", Config{}, Keys, []request{key("a"), key("b b"), key("a")}},
		{"no final newline", "a\nb", Config{}, Keys, []request{key("a"), key("b")}},
		{"CR LF", "a\r\nb\r\n", Config{}, Keys, []request{key("a"), key("b")}},
		{"CR at the end", "a\r\nb\r", Config{}, Keys, []request{key("a"), key("b")}},
		{"byte order mark", "\xef\xbb\xbfa\nb\n", Config{}, Keys, []request{key("a"), key("b")}},
		{"empty lines", "\n\r\na\n\n\nb\n\n", Config{}, Keys, []request{key("a"), key("b")}},
		{"tab and UTF-8", "a\tb\nñ\n", Config{}, Keys, []request{key("a\tb"), key("ñ")}},
		{"gzip", zipped("a\nb\n"), Config{}, Keys, []request{key("a"), key("b")}},
		{"two gzip members", zipped("a\nb") + zipped("c\n"), Config{}, Keys, []request{key("a"), key("bc")}},
		{"longest line", long + "\nb\n", Config{}, Keys, []request{key(long), key("b")}},
		{"limit", "a\nb\nc\n", Config{Limit: 2}, Keys, []request{key("a"), key("b")}},
		{"keys with commas, named", "a,1\nb,2\n", Config{Format: Keys}, Keys, []request{key("a,1"), key("b,2")}},
		{"keys with commas, uneven", "a,1\nb\n", Config{}, Keys, []request{key("a,1"), key("b")}},
		{"a key like a magic number", "BZhang\n", Config{}, Keys, []request{key("BZhang")}},
		{"csv", "time,key,op,size,ttl\n7,a,get,10,60\n8,b,DELETE,,\n", Config{}, CSV, []request{
			{"a", Get, 10, 1, 60, 7}, {"b", Delete, Unknown, 1, 0, 8}}},
		{"csv, key alone", "\nkey,status\na,200\n\nb,404\n", Config{}, CSV, []request{key("a"), key("b")}},
		{"csv, one column, named", "key\na\n", Config{Format: CSV}, CSV, []request{key("a")}},
		{"csv, columns named", "url,verb,op,bytes\n/a,put,x,5.0\n", Config{Columns: Columns{Key: "URL", Op: "verb", Size: "bytes"}}, CSV, []request{
			{"/a", Set, 5, 2, 0, Unknown}}},
		{"csv, column ignored", "key,op,size\na,x,y\n", Config{Columns: Columns{Op: Ignore, Size: Ignore}}, CSV, []request{key("a")}},
		{"csv, quoted", "key,\"size\"\n\"/x?1,2\",3\n\"say \"\"hi\"\"\",\"4\"\n\"\",5\n", Config{Limit: 2}, CSV, []request{
			{"/x?1,2", Get, 3, 6, 0, Unknown}, {`say "hi"`, Get, 4, 8, 0, Unknown}}},
		{"csv, quoted line ends", "key,size\r\n\"a\r\nb\n\nc\",3\r\nd,4\r\n", Config{}, CSV, []request{
			{"a\nb\n\nc", Get, 3, 6, 0, Unknown}, {"d", Get, 4, 1, 0, Unknown}}},
		{"twitter", "0,q:1:8WT,17,213,4,get,0\n1,a,b,2,30,c,set,90\n", Config{Format: Twitter}, Twitter, nil}, // see below
		{"twitter, comma in the key", "1,a,b,20,30,4,cas,90\n", Config{}, Twitter, []request{{"a,b", Update, 30, 20, 90, 1}}},
		{"metakv", meta + "5,k,48,GET,2,87,1,0,3,4\n6,l,9,SET_LEASE,1,8,0,7200,3,4\n", Config{}, MetaKV, []request{
			{"k", Get, 87, 48, 0, 5}, {"k", Get, 87, 48, 0, 5}, {"l", Set, 8, 9, 7200, 6}}},
		{"metakv, limit inside a row", meta + "5,k,48,GET,1000000,87,1,0,3,4\nrubbish\n", Config{Limit: 3}, MetaKV, []request{
			{"k", Get, 87, 48, 0, 5}, {"k", Get, 87, 48, 0, 5}, {"k", Get, 87, 48, 0, 5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(c.text), "x", c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.Format() != c.format {
				t.Errorf("format %v, want %v", r.Format(), c.format)
			}
			if c.want == nil {
				return
			}
			got, err := readAll(r)
			if err != nil {
				t.Fatal(err)
			}
			equalRequests(t, got, c.want)
			if r.Requests() != int64(len(c.want)) {
				t.Errorf("Requests() = %d, want %d", r.Requests(), len(c.want))
			}
		})
	}
}

// fataler is *testing.T, *testing.F and *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func equalRequests(t fataler, got, want []request) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d requests, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("request %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// Every operation of the two cache traces folds into the class that the package
// documentation names, in either case.
func TestOperations(t *testing.T) {
	for class, words := range map[Op]string{
		Get:    "get gets get_lease read head",
		Set:    "set set_lease add put write",
		Update: "replace cas append prepend incr decr touch update",
		Delete: "delete del post patch",
	} {
		for _, word := range strings.Fields(words) {
			for _, w := range []string{word, strings.ToUpper(word)} {
				if got, ok := parseOp([]byte(w)); !ok || got != class {
					t.Errorf("%s: %v, %v, want %v", w, got, ok, class)
				}
			}
		}
	}
	for _, word := range []string{"", "ge", "gett", "get ", "get_leases", "flush", "sat"} {
		if op, ok := parseOp([]byte(word)); ok {
			t.Errorf("%q was read as %v", word, op)
		}
	}
}

// A line may begin in one block and end in another, in any way that a reader
// hands out its bytes: the lines are those that strings.Split finds.
func TestBlockBoundaries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-zé\t ]{0,20}`), 1, 40).Draw(t, "lines")
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		text := strings.Join(lines, end)
		var want []request
		for _, line := range lines {
			if line != "" {
				want = append(want, key(line))
			}
		}
		var from io.Reader = strings.NewReader(text)
		if rapid.Bool().Draw(t, "byte by byte") {
			from = iotest.OneByteReader(from)
		}
		r, err := NewReader(from, "x", Config{Format: Keys, blockSize: rapid.IntRange(1, 40).Draw(t, "block")})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := readAll(r)
		if len(want) == 0 {
			if err == nil {
				t.Fatal("no error about a trace without a request")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		equalRequests(t, got, want)
	})
}

func TestQuotedAcrossBlocks(t *testing.T) {
	text := "key,size\n\"a\r\nbb,\"\"c\"\"\nd\",7\n\"e\",8\n"
	want := []request{{"a\nbb,\"c\"\nd", Get, 7, 11, 0, Unknown}, {"e", Get, 8, 1, 0, Unknown}}
	want[0].KeySize = int64(len(want[0].Key))
	for size := 1; size <= len(text)+1; size++ {
		got, err := readText(t, text, Config{Format: CSV, blockSize: size})
		if err != nil {
			t.Fatalf("blocks of %d bytes: %v", size, err)
		}
		equalRequests(t, got, want)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for _, row := range []string{"t30:12:5\n", "1,a,20,30,4,cas,90\n"} {
		r, err := NewReader(strings.NewReader(strings.Repeat(row, 3000)), "x", Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		nothing(t, r)
	}
	rows := strings.Repeat("1,a,20,get\n2,\"b,\"\"c\",30,set\n", 1500)
	r, err := NewReader(strings.NewReader("time,key,size,op\n"+rows), "x", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	nothing(t, r)
}

func nothing(t *testing.T, r *Reader) {
	t.Helper()
	var req Request
	if n := testing.AllocsPerRun(2000, func() {
		if err := r.Next(&req); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v: %v allocations a request", r.Format(), n)
	}
}

func TestProgress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	text := zipped(strings.Repeat("key\n", 1000))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := readAll(r); err != nil {
		t.Fatal(err)
	}
	if got := []int64{r.BytesRead(), r.TotalBytes(), r.Requests(), r.Line()}; got[0] != got[1] || got[1] != int64(len(text)) || got[2] != 1000 || got[3] != 1000 {
		t.Errorf("BytesRead, TotalBytes, Requests, Line = %v", got)
	}
	if r.Name() != path {
		t.Errorf("Name() = %q", r.Name())
	}
}

// Close ends a Next that waits for a pipe, and twice is harmless.
func TestCloseWhileWaiting(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	text := []byte(strings.Repeat("abc\n", 100))
	if _, err := out.Write(text); err != nil {
		t.Fatal(err)
	}
	r, err := newReader(in, "pipe", in, Unknown, Config{Format: Keys, blockSize: len(text)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := readAll(r)
		ended <- err
	}()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Next ended with %v, want os.ErrClosed", err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestOpenCancelled(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	path := fmt.Sprintf("/dev/fd/%d", in.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip("skipped: opening a silent pipe; there is no ", path)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	r, err := OpenContext(ctx, path, Config{})
	if !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("OpenContext = %v, %v", r, err)
	}
	in.Close()
}

// After Close, Next comes to an end, at the latest with what was read ahead.
func TestNextAfterClose(t *testing.T) {
	r, err := NewReader(strings.NewReader(strings.Repeat("abc\n", 1000)), "x", Config{blockSize: 40})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if got, err := readAll(r); !errors.Is(err, os.ErrClosed) || len(got) > 4*10 {
		t.Errorf("%d requests, error %v, want os.ErrClosed", len(got), err)
	}
}
