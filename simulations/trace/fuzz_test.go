package trace

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fuzzLimit keeps a row that stands for a billion requests from taking the
// memory of a billion.
const fuzzLimit = 20_000

// fuzzText runs the Reader over a text in small and in large blocks, which must
// not differ, and checks what holds for every input.
func fuzzText(t *testing.T, text string, format Format) ([]request, error) {
	t.Helper()
	got, err := readText(t, text, Config{Format: format, Limit: fuzzLimit})
	small, errSmall := readText(t, text, Config{Format: format, Limit: fuzzLimit, blockSize: 7})
	if format != Guess { // which sees less of the text in a small block
		if (err == nil) != (errSmall == nil) || err == nil && !slices.Equal(got, small) {
			t.Fatalf("%d requests, error %v; in blocks of 7 bytes %d, error %v", len(got), err, len(small), errSmall)
		}
	}
	for _, err := range []error{err, errSmall} {
		if own := (*Error)(nil); err != nil && (!errors.As(err, &own) || strings.Contains(err.Error(), "\n")) {
			t.Fatalf("%T %q, want an *Error of one line", err, err)
		}
	}
	if err == nil && len(got) == 0 {
		t.Fatal("neither a request nor an error")
	}
	for _, r := range got {
		if r.Key == "" || len(r.Key) > MaxLine || r.Size < Unknown || r.Time < Unknown || r.TTL < 0 || r.KeySize < 0 {
			t.Fatalf("request %+v", r)
		}
	}
	return got, err
}

// plainText reports whether a text holds nothing that the Reader refuses or
// treats apart whatever the format.
func plainText(text string) bool {
	if strings.HasPrefix(text, "\xef\xbb\xbf") || strings.HasPrefix(text, "\x1f\x8b") || len(text) > MaxLine {
		return false
	}
	for _, c := range compressed {
		if strings.HasPrefix(text, c.magic) {
			return false
		}
	}
	lines := strings.ReplaceAll(strings.TrimSuffix(text, "\r"), "\r\n", "\n")
	return !strings.ContainsFunc(lines, func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' })
}

func addFixtures(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(paths) == 0 {
		f.Fatal("no fixtures", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:min(len(text), 900)]))
	}
}

func FuzzKeys(f *testing.F) {
	for _, text := range []string{"", "a\nb\n", "a\r\n\r\nb\r", "\xef\xbb\xbfa", "a\x00", "a\rb", "abcdef\rb", zipped("a\nb\n"), zipped("a\nb\n")[:20]} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := fuzzText(t, text, Keys)
		if !plainText(text) {
			return
		}
		var want []request
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r"), "\n") {
			if line = strings.TrimSuffix(line, "\r"); line != "" {
				want = append(want, key(line))
			}
		}
		if len(want) == 0 {
			return // an error, as fuzzText has checked
		}
		if err != nil {
			t.Fatal(err)
		}
		equalRequests(t, got, want)
	})
}

func fuzzTable(f *testing.F, format Format) {
	addFixtures(f)
	for _, text := range []string{
		"key,op\na,get\n", "time,key,op,size,ttl\n1,\"a,\"\"b\",SET,2,3\n", "key,size\n\"a\r\nb\",\n",
		"key,op,op_count\na,get,3\n\nb,delete,1", "key,op\n\"a\nb,get\n", "key,op\na\"b,get\n", "key\n\"a\" ,b\n", "size,key\n1.5,k\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := fuzzText(t, text, format)
		if !plainText(text) {
			return
		}
		if err == nil && len(got) < fuzzLimit {
			if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil {
				t.Fatalf("read what encoding/csv refuses: %v", err)
			}
		}
		want, ok := naive(text, format == MetaKV)
		if !ok || len(want) > fuzzLimit {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		equalRequests(t, got, want)
	})
}

func FuzzCSV(f *testing.F)    { fuzzTable(f, CSV) }
func FuzzMetaKV(f *testing.F) { fuzzTable(f, MetaKV) }

func FuzzTwitter(f *testing.F) {
	addFixtures(f)
	f.Add("1,a,b,2,3,4,cas,5\n\n1,a,2,3,4,set,5")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := fuzzText(t, text, Twitter)
		if err != nil || !plainText(text) {
			return
		}
		lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.Trim(line, "\r") == "" })
		if len(lines) != len(got) {
			t.Fatalf("%d requests from %d lines", len(got), len(lines))
		}
		for i, line := range lines {
			cells := strings.Split(strings.TrimSuffix(line, "\r"), ",")
			op, ok := parseOp([]byte(cells[len(cells)-2]))
			if k := strings.Join(cells[1:len(cells)-5], ","); !ok || got[i].Key != k || got[i].Op != op {
				t.Fatalf("line %q: %+v", line, got[i])
			}
		}
	})
}

// FuzzGuess: whatever the content is, it is read or refused; and what is guessed
// is read as if the format had been named.
func FuzzGuess(f *testing.F) {
	addFixtures(f)
	f.Add("a\nb\n")
	f.Add("url,n\na,1\n")
	f.Add("\x1f\x8b\x08")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := fuzzText(t, text, Guess)
		if err != nil {
			return
		}
		r, err := NewReader(bytes.NewReader([]byte(text)), "x", Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		named, err := readText(t, text, Config{Format: r.Format(), Limit: fuzzLimit})
		if err != nil || !slices.Equal(got, named) {
			t.Fatalf("guessed %v, which read by name gives %v", r.Format(), err)
		}
	})
}

func FuzzParseColumns(f *testing.F) {
	f.Add("key=url,op=verb")
	f.Add("key=,=")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := ParseColumns(text); err != nil && got != (Columns{}) {
			t.Fatalf("%+v beside the error %v", got, err)
		}
	})
}
