package trace

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// Every damage gives one line that names the file, the line, what was found and
// what was expected.
func TestDamaged(t *testing.T) {
	const (
		web  = "time,key,op,size,ttl\n"
		meta = "op_time,key,key_size,op,op_count,size,cache_hits,ttl\n"
	)
	for _, c := range []struct {
		name, text string
		cfg        Config
		want       string
	}{
		{"empty", "", Config{}, `trace: x: found no request, expected at least one`},
		{"empty lines alone", "\n\n\r\n", Config{}, `trace: x: found no request, expected at least one`},
		{"byte order mark alone", "\xef\xbb\xbf", Config{}, `trace: x: found no request, expected at least one`},
		{"header alone", web, Config{}, `trace: x: found no request, expected at least one`},
		{"no header", "", Config{Format: CSV}, `trace: x: found no request, expected at least one`},
		{"empty gzip", zipped(""), Config{}, `trace: x: found no request, expected at least one`},
		{"NUL", "a\nb\x00c\n", Config{}, `trace: x: line 2: found the control character 0x00, expected text, plain or compressed by gzip`},
		{"UTF-16", "\xff\xfea\x00\n\x00", Config{}, `trace: x: line 1: found the control character 0x00, expected text, plain or compressed by gzip`},
		{"old Mac line ends", "a\rb\rc", Config{}, `trace: x: line 1: found a carriage return inside a line, expected text, plain or compressed by gzip`},
		{"zstd", "\x28\xb5\x2f\xfd rest", Config{}, `trace: x: found a zstd file, expected text, plain or compressed by gzip`},
		{"zip", "PK\x03\x04 rest", Config{}, `trace: x: found a zip file, expected text, plain or compressed by gzip`},
		{"bzip2", "BZh91AY", Config{}, `trace: x: found a bzip2 file, expected text, plain or compressed by gzip`},
		{"gzip header cut", zipped("a\n")[:5], Config{}, `trace: x: found a damaged gzip header, expected gzip or plain text: unexpected EOF`},
		{"gzip trailer cut", func() string { z := zipped("a\nb\n"); return z[:len(z)-3] }(), Config{}, `trace: x: line 3: found the end of the file inside its gzip stream, expected a complete file: unexpected EOF`},
		{"gzip checksum", func() string { z := []byte(zipped("a\nb\n")); z[len(z)-8]++; return string(z) }(), Config{}, `trace: x: line 3: gzip: invalid checksum`},
		{"line too long", "a\n" + strings.Repeat("k", MaxLine+1) + "\n", Config{}, `trace: x: line 2: found a line of 65537 bytes or more, expected at most 65536`},
		{"table without a key", "url,status\n/a,200\n", Config{}, `trace: x: line 1: found a table without a column named key ("url,status"), expected the format to be named: keys, twitter, metakv, or csv with key=COLUMN`},
		{"csv: no key", "url,status\n/a,200\n", Config{Format: CSV}, `trace: x: line 1: found the columns "url,status", expected a column named key`},
		{"csv: named column missing", web + "1,a,get,2,3\n", Config{Columns: Columns{Op: "verb"}}, `trace: x: line 1: found the columns "time,key,op,size,ttl", expected a column named verb`},
		{"csv: two keys", "key,key\na,b\n", Config{}, `trace: x: line 1: key: found two columns of that name, expected one`},
		{"csv: column missing", web + "1,a,get,2,3\n\n1,a,get,2\n", Config{}, `trace: x: line 4: found 4 columns, expected 5 as in the header`},
		{"csv: column too many", web + "1,a,get,2,3,\n", Config{}, `trace: x: line 2: found 6 columns, expected 5 as in the header`},
		{"csv: empty key", web + "1,,get,2,3\n", Config{}, `trace: x: line 2: key: found an empty key, expected at least one byte`},
		{"csv: operation", web + "1,a,got,2,3\n", Config{}, `trace: x: line 2: op: found "got", expected an operation such as get, set, incr, delete`},
		{"csv: negative size", web + "1,a,get,-2,3\n", Config{}, `trace: x: line 2: size: found "-2", expected a number from 0 to 9007199254740992`},
		{"csv: negative TTL", web + "1,a,get,2,-3\n", Config{}, `trace: x: line 2: ttl: found "-3", expected a number from 0 to 9007199254740992`},
		{"csv: size not a number", web + "1,a,get,2 KB,3\n", Config{}, `trace: x: line 2: size: found "2 KB", expected a number from 0 to 9007199254740992`},
		{"csv: huge time", web + "99999999999999999999,a,get,2,3\n", Config{}, `trace: x: line 2: time: found "99999999999999999999", expected a number from 0 to 9007199254740992`},
		{"csv: mark inside a cell", web + "1,a\"b,get,2,3\n", Config{}, `trace: x: line 2: found a quotation mark inside "a\"b", expected none in a cell that does not begin with one`},
		{"csv: text after a mark", web + "1,\"a\"b,get,2,3\n", Config{}, `trace: x: line 2: found text after a closing quotation mark, expected a comma`},
		{"csv: mark not closed", web + "1,\"a\nb\n", Config{}, `trace: x: line 2: found a quotation mark that is not closed, expected one more before the end of the file`},
		{"csv: mark not closed for long", web + "1,\"a\n" + strings.Repeat("1,b,get,2,3\n", 10000), Config{}, `trace: x: line 2: found a quotation mark that is not closed, expected one more within 65536 bytes`},
		{"csv: rubbish within marks", web + "1,\"a\nb\x01\n", Config{}, `trace: x: line 3: found the control character 0x01, expected text, plain or compressed by gzip`},
		{"twitter: columns", "1,a,2,3,4,get,0\n1,a,2,3,4,get\n", Config{}, `trace: x: line 2: found 6 columns, expected 7: timestamp,key,key_size,value_size,client_id,op,ttl`},
		{"twitter: empty key", "1,,2,3,4,get,0\n", Config{}, `trace: x: line 1: key: found an empty key, expected at least one byte`},
		{"twitter: operation", "1,a,2,3,4,get,0\n1,a,2,3,4,fly,0\n", Config{}, `trace: x: line 2: op: found "fly", expected an operation such as get, set, incr, delete`},
		{"twitter: negative size", "1,a,2,-3,4,get,0\n", Config{Format: Twitter}, `trace: x: line 1: value_size: found "-3", expected a number from 0 to 9007199254740992`},
		{"twitter: negative TTL", "1,a,2,3,4,get,0\n1,a,2,3,4,get,-1\n", Config{}, `trace: x: line 2: ttl: found "-1", expected a number from 0 to 9007199254740992`},
		{"twitter: empty number", "1,a,2,3,4,get,0\n1,a,,3,4,get,0\n", Config{}, `trace: x: line 2: key_size: found "", expected a number from 0 to 9007199254740992`},
		{"metakv: no operation column", "key,op_count\na,1\n", Config{Format: MetaKV}, `trace: x: line 1: found the columns "key,op_count", expected a column named op`},
		{"metakv: op_count 0", meta + "5,k,48,GET,0,87,1,0\n", Config{}, `trace: x: line 2: op_count: found 0, expected 1 to 1073741824 requests`},
		{"metakv: op_count huge", meta + "5,k,48,GET,9999999999,87,1,0\n", Config{}, `trace: x: line 2: op_count: found 9999999999, expected 1 to 1073741824 requests`},
		{"metakv: negative key size", meta + "5,k,-48,GET,1,87,1,0\n", Config{}, `trace: x: line 2: key_size: found "-48", expected a number from 0 to 9007199254740992`},
		{"long value", web + "1,a," + strings.Repeat("z", 99) + ",2,3\n", Config{}, `trace: x: line 2: op: found "` + strings.Repeat("z", 40) + `"… (99 bytes), expected an operation such as get, set, incr, delete`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readText(t, c.text, c.cfg)
			if err == nil {
				t.Fatalf("no error, %d requests", len(got))
			}
			if err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
			if own := (*Error)(nil); !errors.As(err, &own) {
				t.Errorf("%T, want *Error", err)
			}
		})
	}
}

func TestErrorIsSticky(t *testing.T) {
	r, err := NewReader(strings.NewReader("key,op\na,get\nb,fly\nc,get\n"), "x", Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var req Request
	if err := r.Next(&req); err != nil {
		t.Fatal(err)
	}
	first := r.Next(&req)
	if second := r.Next(&req); first == nil || second != first {
		t.Errorf("after %v came %v", first, second)
	}
	if r.Requests() != 1 || r.Line() != 2 {
		t.Errorf("Requests, Line = %d, %d, want 1, 2", r.Requests(), r.Line())
	}
	if got := r.Fault("size", "none", "sizes").Error(); got != "trace: x: line 2: size: found none, expected sizes" {
		t.Errorf("Fault: %s", got)
	}
}

// A line of 10 MB is refused long before it is in memory.
func TestHugeLine(t *testing.T) {
	read := 0
	endless := readerFunc(func(p []byte) (int, error) {
		for i := range p {
			p[i] = 'k'
		}
		read += len(p)
		return len(p), nil
	})
	r, err := NewReader(io.LimitReader(endless, 10<<20), "x", Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(r)
	r.Close() // after which read is ours
	if err == nil || !strings.Contains(err.Error(), "line 1: found a line of ") {
		t.Errorf("error %v", err)
	}
	if limit := (numBlocks + 1) * defaultBlock; read > limit {
		t.Errorf("%d bytes read, want at most %d", read, limit)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Wherever a gzip file is cut, the requests before the cut come, then an error.
func TestCutGzip(t *testing.T) {
	whole := string(bundled)
	for cut := 0; cut < len(whole); cut += 9973 {
		got, err := readText(t, whole[:cut], Config{})
		if own := (*Error)(nil); !errors.As(err, &own) {
			t.Fatalf("cut at %d: %d requests, error %v", cut, len(got), err)
		}
	}
}

func TestBinaryRubbish(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := make([]byte, 2000)
		for i := range text {
			text[i] = byte(random.Uint32())
		}
		if got, err := readText(t, string(text), Config{}); err == nil {
			t.Fatalf("%d requests out of %q", len(got), text[:40])
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, text := range []string{"", "a", "a\nb\n"} {
		from := io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken))
		r, err := NewReader(from, "x", Config{})
		if err == nil {
			_, err = readAll(r)
			r.Close()
		}
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "trace: x: ") {
			t.Errorf("after %q: %v", text, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := Open(missing, Config{}); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "trace: "+missing+": ") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(dir, Config{}); err == nil || err.Error() != "trace: "+dir+": found a directory, expected a file" {
		t.Errorf("directory: %v", err)
	}
	unfit := filepath.Join(dir, "unfit")
	if err := os.WriteFile(unfit, []byte("url,n\na,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(unfit, Config{}); err == nil {
		t.Error("a table without a key was opened")
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Format: 77}, `trace: format: found Format(77), expected one of auto, keys, csv, twitter, metakv`},
		{Config{Limit: -1}, `trace: limit: found -1, expected a number of requests, or 0 for all`},
		{Config{Format: Keys, Columns: Columns{Key: "k"}}, `trace: columns: found columns for the format keys, expected none: only csv has them named`},
		{Config{Columns: Columns{Key: "-"}}, `trace: columns: found "key=-", expected a column for the key`},
	} {
		_, err := NewReader(strings.NewReader("a\n"), "x", c.cfg)
		_, err2 := Bundled(c.cfg)
		_, err3 := Open("missing", c.cfg)
		for _, err := range []error{err, err2, err3} {
			if err == nil || err.Error() != c.want {
				t.Errorf("%+v: %v, want %s", c.cfg, err, c.want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for f := Guess; f < numFormats; f++ {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("ParseFormat(%v) = %v, %v", f, got, err)
		}
	}
	if got, err := ParseFormat(""); err != nil || got != Guess {
		t.Errorf("ParseFormat of nothing = %v, %v", got, err)
	}
	if _, err := ParseFormat("xml"); err == nil || err.Error() != `trace: format: found "xml", expected one of auto, keys, csv, twitter, metakv` {
		t.Errorf("ParseFormat(xml): %v", err)
	}
	got, err := ParseColumns("key=url,op=verb,ttl=-,size=b,time=t")
	if want := (Columns{Key: "url", Op: "verb", TTL: "-", Size: "b", Time: "t"}); err != nil || got != want {
		t.Errorf("ParseColumns = %+v, %v", got, err)
	}
	if got, err := ParseColumns(""); err != nil || got != (Columns{}) {
		t.Errorf("ParseColumns of nothing = %+v, %v", got, err)
	}
	for _, bad := range []string{"key", "key=", "=url", "verb=x", "key=a,", "key=a,key=b", "key=-"} {
		if got, err := ParseColumns(bad); err == nil || got != (Columns{}) {
			t.Errorf("ParseColumns(%q) = %+v, %v", bad, got, err)
		}
	}
}

// An error is one line that a terminal may see, whatever the file is called.
func TestErrorQuotesTheName(t *testing.T) {
	_, err := Open("no\n\x1b\u202e/such", Config{})
	if want := `trace: "no\n\x1b\u202e/such": no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
