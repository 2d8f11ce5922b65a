package ketama_test

import (
	"bufio"
	"crypto/md5"
	"fmt"
	"hash"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/ketama"
)

// testServers are those of RJ/ketama, ketama.servers, which libmemcached's tests
// use too.
func testServers() []ring.Node {
	weights := []float64{600, 300, 200, 350, 1000, 800, 950, 100}
	nodes := make([]ring.Node, len(weights))
	for i, w := range weights {
		nodes[i] = ring.Node{ID: fmt.Sprintf("10.0.1.%d:11211", i+1), Weight: w}
	}
	return nodes
}

var kind = placementtest.Kind[*ketama.Ketama, ketama.Config]{New: ketama.New, Zero: new(ketama.Ketama)}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg ketama.Config) *ketama.Ketama {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

// TestLibketamaMillionKeys is RJ/ketama libketama/test.sh: one MD5 over where a
// million keys go.
func TestLibketamaMillionKeys(t *testing.T) {
	k := mustNew(t, testServers(), ketama.Config{})
	if k.Points() != 1264 {
		t.Errorf("got %d points, want 1264", k.Points())
	}
	sum := md5.New()
	sum.Write([]byte("\n"))
	var buf []byte
	nodes := k.Nodes()
	for i := range 1_000_000 {
		key := strconv.Itoa(i)
		hash, point, node := ketama.Locate(k, key)
		if i%1000 == 0 {
			if h, p := k.Point(key); h != hash || p != point || k.OwnerIndex(key) != node {
				t.Fatalf("%q: Point says %d, %d, OwnerIndex %d; want %d, %d, %d", key, h, p, k.OwnerIndex(key), hash, point, node)
			}
		}
		buf = strconv.AppendUint(buf, uint64(hash), 10)
		buf = strconv.AppendUint(append(buf, ' '), uint64(point), 10)
		buf = append(append(append(buf, ' '), nodes[node].ID...), '\n')
		buf = flush(sum, buf, 1<<16)
	}
	flush(sum, buf, 0)
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != "5672b131391f5aa2b280936aec1eea74" {
		t.Errorf("a million keys go elsewhere than with libketama: MD5 %s", got)
	}
}

func flush(sum hash.Hash, buf []byte, above int) []byte {
	if len(buf) <= above {
		return buf
	}
	sum.Write(buf)
	return buf[:0]
}

// TestLibketamaTwoServers holds to RJ/ketama python_ketama/tests.py.
func TestLibketamaTwoServers(t *testing.T) {
	k := mustNew(t, []ring.Node{{ID: "127.0.0.1:11211", Weight: 600}, {ID: "127.0.0.1:11212", Weight: 400}}, ketama.Config{})
	hash, point := k.Point("test")
	if k.Points() != 320 || hash != 3446378249 || point != 3454255383 || k.OwnerIndex("test") != 0 {
		t.Errorf("got %d points, hash %d on point %d, node %d; want 320, 3446378249, 3454255383, 0",
			k.Points(), hash, point, k.OwnerIndex("test"))
	}
}

// TestLibmemcached holds to awesomized/libmemcached test/fixtures/ketama.hpp, for
// KETAMA_WEIGHTED and for KETAMA_SPY.
func TestLibmemcached(t *testing.T) {
	weighted := mustNew(t, testServers(), ketama.Config{Variant: ketama.Libmemcached})
	spy := mustNew(t, testServers(), ketama.Config{Variant: ketama.Libmemcached, Names: ketama.NamePrefixedBySlash})
	f, err := os.Open("testdata/libmemcached.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := 0
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if strings.HasPrefix(scan.Text(), "# ") {
			continue
		}
		rows++
		var row [5]string // key, hash, point, owner, owner with KETAMA_SPY
		if copy(row[:], strings.Split(scan.Text(), "\t")) != len(row) {
			t.Fatalf("row %d has not 5 columns", rows)
		}
		hash, point := weighted.Point(row[0])
		got := fmt.Sprint(hash, " ", point, " ", weighted.Owner(row[0]).ID)
		if want := row[1] + " " + row[2] + " " + row[3] + ":11211"; got != want {
			t.Errorf("%q: got %s, want %s", row[0], got, want)
		}
		if got, want := spy.Owner(row[0]).ID, row[4]+":11211"; got != want {
			t.Errorf("KETAMA_SPY %q: got %s, want %s", row[0], got, want)
		}
	}
	if rows != 30 {
		t.Errorf("read %d rows, want 30", rows)
	}
	// Of that suite too: a key that hashes past the last point.
	for name, k := range map[string]*ketama.Ketama{"KETAMA_WEIGHTED": weighted, "KETAMA_SPY": spy} {
		hash, point := k.Point("VDEAAAAA")
		if hash != 0xfffcd1b5 || point > hash {
			t.Errorf("%s: VDEAAAAA hashes to %x on point %x, want fffcd1b5 and the first point", name, hash, point)
		}
	}
}

// TestSpymemcached holds to couchbase/spymemcached KetamaNodeLocatorTest.java.
func TestSpymemcached(t *testing.T) {
	var nodes []ring.Node
	for port := 10000; port < 10005; port++ {
		nodes = append(nodes, ring.Node{ID: fmt.Sprint("127.0.0.1:", port), Weight: 1})
	}
	for _, tt := range []struct {
		nodes int
		keys  map[string]int
	}{
		{5, map[string]int{"36": 2, "10037": 3, "22051": 1, "49044": 4, "dustin": 0, "noelani": 2, "some other key": 4}},
		{4, map[string]int{"dustin": 0, "noelani": 2, "some other key": 0, "V5XS8C8N": 3, "8KR2DKR2": 3, "L9KH6X4X": 3}},
	} {
		k := mustNew(t, nodes[:tt.nodes], ketama.Config{Variant: ketama.Spymemcached})
		for key, want := range tt.keys {
			if got := k.OwnerIndex(key); got != want {
				t.Errorf("%d nodes: %q: got node %d, want %d", tt.nodes, key, got, want)
			}
		}
		if got, want := k.Points(), 160*tt.nodes; got != want {
			t.Errorf("%d nodes: got %d points, want %d", tt.nodes, got, want)
		}
	}
	// The largest point of four nodes is 4294887009: this key hashes past it.
	k := mustNew(t, nodes[:4], ketama.Config{Variant: ketama.Spymemcached})
	if hash, point := k.Point("V5XS8C8N"); hash <= 4294887009 || point > hash {
		t.Errorf("V5XS8C8N hashes to %d on point %d, want past 4294887009 and on the first", hash, point)
	}
	if points := ketama.PointHashes(k); points[len(points)-1] != 4294887009 {
		t.Errorf("largest point %d, want 4294887009", points[len(points)-1])
	}
}

// TestSpymemcachedOthers holds to testLibKetamaCompatTwo (equal weights, as
// listed) of the older suite and to testLibKetamaWeightedCompatLibmemcached.
func TestSpymemcachedOthers(t *testing.T) {
	nodes := testServers()
	for i := range nodes {
		nodes[i].Weight = 1
	}
	k := mustNew(t, nodes, ketama.Config{Variant: ketama.Spymemcached})
	for key, want := range map[string]int{"0": 1, "233": 7, "466": 3, "699": 1, "932": 6, "1165": 2, "1398": 1,
		"1631": 6, "1864": 5, "2097": 3, "10019": 5, "10252": 1, "33086": 7, "59415": 2, "92268": 4} {
		if got := k.Owner(key).ID; got != fmt.Sprintf("10.0.1.%d:11211", want) {
			t.Errorf("%q: got %s, want 10.0.1.%d:11211", key, got, want)
		}
	}
	// The fork in AWS's ElastiCache client names servers by address: other points.
	for host, want := range map[string][4]int{"localhost": {1, 0, 1, 1}, "127.0.0.1": {1, 1, 0, 0}} {
		weighted := mustNew(t, []ring.Node{{ID: host + ":11211", Weight: 8}, {ID: host + ":11212", Weight: 8}},
			ketama.Config{Variant: ketama.Spymemcached, Weighted: true, Names: ketama.NameWithoutDefaultPort})
		for i, want := range want {
			if key := fmt.Sprint("key", i+1); weighted.OwnerIndex(key) != want {
				t.Errorf("weighted, %s: %q: got node %d, want %d", host, key, weighted.OwnerIndex(key), want)
			}
		}
	}
}

// TestMurmur covers keys of every length modulo 4: computed with gcc from the
// definition of MurmurHash2.
func TestMurmur(t *testing.T) {
	k := mustNew(t, ring.Nodes("a", "b"), ketama.Config{Variant: ketama.Twemproxy, KeyHash: ketama.Murmur})
	for key, want := range map[string]uint32{"ab": 3820310011, "abc": 2064434216, "user": 3703938342,
		"username": 1714211817, "\xe4\xb8\xad": 2918825350} {
		if got := k.Hash(key); got != want {
			t.Errorf("murmur(%q): got %d, want %d", key, got, want)
		}
	}
}

// TestKeyHashes holds to twitter/twemproxy src/test_all.c for "apple". The other
// row is a key with bytes over 0x7f, where C's char matters: computed with gcc
// from the definitions, with and without -funsigned-char.
func TestKeyHashes(t *testing.T) {
	const high = "\xe4\xb8\xad"
	for _, tt := range []struct {
		hash           ketama.KeyHash
		apple          uint32
		signed, highUC uint32 // 0: not concerned
	}{
		{ketama.MD5, 3195025439, 0, 0},
		{ketama.FNV1a64, 1488911807, 330199508, 1737097940},
		{ketama.FNV164, 473199127, 2486927286, 1781981878},
		{ketama.FNV1a32, 280767167, 3930512628, 3091649524},
		{ketama.FNV132, 67176023, 3616531830, 1825760886},
		{ketama.OneAtATime, 2297466611, 2838217901, 3332738575},
		{ketama.CRC32a, 2838417488, 0, 0},
		{ketama.Murmur, 4142305122, 0, 0},
	} {
		nodes := ring.Nodes("a", "b")
		signed := mustNew(t, nodes, ketama.Config{Variant: ketama.Twemproxy, KeyHash: tt.hash})
		unsigned := mustNew(t, nodes, ketama.Config{Variant: ketama.Twemproxy, KeyHash: tt.hash, UnsignedChar: true})
		if got := signed.Hash("apple"); got != tt.apple || unsigned.Hash("apple") != got {
			t.Errorf("%s(apple): got %d, want %d", tt.hash, got, tt.apple)
		}
		if tt.signed == 0 {
			if signed.Hash(high) != unsigned.Hash(high) {
				t.Errorf("%s: UnsignedChar makes a difference", tt.hash)
			}
			continue
		}
		if got := signed.Hash(high); got != tt.signed {
			t.Errorf("%s(%x), signed: got %d, want %d", tt.hash, high, got, tt.signed)
		}
		if got := unsigned.Hash(high); got != tt.highUC {
			t.Errorf("%s(%x), unsigned: got %d, want %d", tt.hash, high, got, tt.highUC)
		}
	}
}
