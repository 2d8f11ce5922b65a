package trace

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// benchmark reads what open opens to its end, and reports lines a second.
func benchmark(b *testing.B, open func() (*Reader, error)) {
	var lines int64
	for b.Loop() {
		r, err := open()
		if err != nil {
			b.Fatal(err)
		}
		var req Request
		for err = r.Next(&req); err == nil; err = r.Next(&req) {
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		lines += r.Requests()
		r.Close()
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}

func benchmarkText(b *testing.B, header, row string) {
	text := append([]byte(header), bytes.Repeat([]byte(row), 200_000)...)
	b.SetBytes(int64(len(text)))
	benchmark(b, func() (*Reader, error) { return NewReader(bytes.NewReader(text), "bench", Config{}) })
}

const webHeader = "timestamp,key,op,size,ttl,status\n"

func BenchmarkKeys(b *testing.B)    { benchmarkText(b, "", "t30:1234:56\n") }
func BenchmarkTwitter(b *testing.B) { benchmarkText(b, "", "0,q:q:1:8WTfjZU14ee,17,213,4,get,0\n") }
func BenchmarkCSV(b *testing.B) {
	benchmarkText(b, webHeader, "804571201,/history/apollo/,get,6245,0,200\n")
}
func BenchmarkCSVQuoted(b *testing.B) {
	benchmarkText(b, webHeader, "804571266,\"/imagemap/countdown?99,176\",get,110,0,302\n")
}

// BenchmarkGzip reads the 5,000,000 lines of orm-busy.keys.gz in TRACES_DIR.
func BenchmarkGzip(b *testing.B) {
	path := filepath.Join(os.Getenv("TRACES_DIR"), "orm-busy.keys.gz")
	if _, err := os.Stat(path); err != nil {
		b.Skip("skipped: TRACES_DIR does not name a directory with orm-busy.keys.gz")
	}
	benchmark(b, func() (*Reader, error) { return Open(path, Config{}) })
}
