package trace

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundled(t *testing.T) {
	r, err := Bundled(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	distinct := map[string]bool{}
	for _, r := range all {
		distinct[r.Key] = true
	}
	if len(all) != 95_607 || len(distinct) != 13_756 {
		t.Errorf("%d requests, %d keys, want 95607, 13756", len(all), len(distinct))
	}
	if r.Name() != BundledName || r.Format() != Keys || r.TotalBytes() != r.BytesRead() {
		t.Errorf("%s, %v, %d of %d bytes", r.Name(), r.Format(), r.BytesRead(), r.TotalBytes())
	}
}

// Each README names the source, the licence and the digests of the files beside
// it, as the licences want.
func TestAttribution(t *testing.T) {
	for dir, words := range map[string]string{
		"data":     "CC BY 4.0|headissue GmbH|Jens Wilke|ben-manes/caffeine|ccef9554|web12",
		"testdata": "Apache-2.0|CC BY 4.0|facebook/CacheLib|twitter/cache-trace|OSDI",
	} {
		readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.SplitSeq(words, "|") {
			if !bytes.Contains(readme, []byte(word)) {
				t.Errorf("%s/README.md does not name %s", dir, word)
			}
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*[vz]")) // csv, gz
		if err != nil || len(paths) == 0 {
			t.Fatal("no data in "+dir, err)
		}
		for _, path := range paths {
			for _, digest := range digests(t, path) {
				if !bytes.Contains(readme, []byte(digest)) {
					t.Errorf("%s/README.md does not have %s of %s", dir, digest, path)
				}
			}
		}
	}
}

// digests returns the SHA-256 of a file, and of its content where it is gzip.
func digests(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	out := []string{hex.EncodeToString(sum[:])}
	if strings.HasSuffix(path, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		sum = sha256.Sum256(plain)
		out = append(out, hex.EncodeToString(sum[:]))
	}
	return out
}
