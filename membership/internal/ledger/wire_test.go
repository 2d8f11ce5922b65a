package ledger

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/ringway/ringway/membership"
	"pgregory.net/rapid"
)

func nan() float64          { return math.NaN() }
func negativeZero() float64 { return math.Copysign(0, -1) }

// The bytes that members send each other are a promise to members of the same
// version on other machines: a change of these needs a new Version.
const (
	goldenMeta = "02" + "05" + "666c656574" + "01" + "ac02" + "0001020304050607" + "0c" + "687474703a2f2f3a38393436" + goldenRecord
	// kind, address, zone, weight, state, step, next weight, unhealthy
	goldenRecord = "01" + "0d" + "31302e302e302e313a36333739" + "02" + "7a31" + "3ff8000000000000" + "04" + "03" + "4000000000000000" + "01" +
		// generation, sequence, stamp, transition, swept, done, purged, returns, since
		"808080808020" + "07" + "ac02" + "ab02" + "aa02" + "a902" + "a802" + "03" + "80c49fd50c"
	goldenMessage = "02" + "05" + "666c656574" + "ad02" +
		"02" + "01" + "61" + goldenRecord + "01" + "72" + goldenOther +
		"01" + "01" + "62" + "09" + "ad02" + "01" + "01" + "61" +
		"01" + "01" + "2b" + "03" + goldenAbort
	goldenAbort = "ad02" + "01" + "01" + "61" // stamp, since, by
	goldenOther = "02" + "03" + "683a31" + "00" + "3ff0000000000000" + "01" + "00" + "0000000000000000" + "00" +
		"01" + "02" + "03" + "00" + "00" + "00" + "00" + "00" + "00"
)

func goldenValues() (Meta, Message) {
	r := Record{ID: "a", Kind: membership.Redis, Address: "10.0.0.1:6379", Zone: "z1", Weight: 1.5, State: membership.Active,
		Step: membership.Importing, NextWeight: 2, Unhealthy: true, Generation: 1 << 40, Sequence: 7, Stamp: 300,
		Transition: 299, Swept: 298, Done: 297, Purged: 296, Returns: 3, Since: 1700000000}
	other := Record{ID: "r", Kind: membership.Memcached, Address: "h:1", Weight: 1, State: membership.Joining,
		Generation: 1, Sequence: 2, Stamp: 3}
	meta := Meta{Cluster: "fleet", Kind: membership.Redis, Epoch: 300, Fingerprint: [8]byte{0, 1, 2, 3, 4, 5, 6, 7}, HTTP: "http://:8946", Record: r}
	message := Message{Cluster: "fleet", Epoch: 301, Records: []Record{r, other},
		Evictions: []Eviction{{ID: "b", Generation: 9, Stamp: 301, Since: -1, By: "a"}},
		Aborts:    []Abort{{Kind: membership.Redis, Transition: 43, Stage: Turned, Stamp: 301, Since: -1, By: "a"}}}
	return meta, message
}

func TestGoldenBytes(t *testing.T) {
	meta, message := goldenValues()
	if got := hex.EncodeToString(meta.Encode()); got != goldenMeta {
		t.Errorf("meta:\ngot  %s\nwant %s", got, goldenMeta)
	}
	if got := hex.EncodeToString(message.Encode()); got != goldenMessage {
		t.Errorf("message:\ngot  %s\nwant %s", got, goldenMessage)
	}
	b, err := hex.DecodeString(goldenMeta)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeMeta("a", b); err != nil || got != meta {
		t.Errorf("meta: got %+v, %v, want %+v", got, err, meta)
	}
	if b, err = hex.DecodeString(goldenMessage); err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeMessage(b); err != nil || !reflect.DeepEqual(got, message) {
		t.Errorf("message: got %+v, %v, want %+v", got, err, message)
	}
}

func TestRoundTrip(t *testing.T) {
	ids := []string{"a", "é", strings.Repeat("x", MaxIDLength)}
	rapid.Check(t, func(t *rapid.T) {
		meta := Meta{
			Cluster: rapid.StringN(0, 8, MaxClusterLength).Draw(t, "cluster"),
			Kind:    rapid.SampledFrom(kinds).Draw(t, "kind"),
			Epoch:   rapid.Uint64().Draw(t, "epoch"),
		}
		copy(meta.Fingerprint[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "fingerprint"))
		name := "router"
		if meta.Kind != membership.Router {
			meta.Record = drawRecord(t, ids)
			meta.Record.Kind, name = meta.Kind, meta.Record.ID
		}
		if got, err := DecodeMeta(name, meta.Encode()); err != nil || got != meta {
			t.Fatalf("got %+v, %v, want %+v", got, err, meta)
		}
		for _, m := range drawMessages(t) {
			got, err := DecodeMessage(m.Encode())
			if err != nil || len(got.Records) != len(m.Records) || len(got.Evictions) != len(m.Evictions) || len(got.Aborts) != len(m.Aborts) {
				t.Fatalf("got %+v, %v, want %+v", got, err, m)
			}
			if shown(merged(got)) != shown(merged(m)) || got.Cluster != m.Cluster || got.Epoch != m.Epoch {
				t.Fatalf("got %+v, want %+v", got, m)
			}
		}
	})
}

// TestMetaFits: memberlist panics at meta data of more than 512 bytes. The
// longest has every field at its limit.
func TestMetaFits(t *testing.T) {
	meta := Meta{Cluster: strings.Repeat("c", MaxClusterLength), Kind: membership.Memcached, Epoch: math.MaxUint64, HTTP: strings.Repeat("h", MaxHTTPLength), Record: Record{
		ID: strings.Repeat("i", MaxIDLength), Kind: membership.Memcached, Address: strings.Repeat("a", MaxAddressLength-6) + ":65535",
		Zone: strings.Repeat("z", MaxZoneLength), Weight: 1 << 20, State: membership.Active, Step: membership.Importing, NextWeight: 1 << 20,
		Unhealthy: true, Generation: MaxGeneration, Sequence: math.MaxUint64, Stamp: MaxStamp, Transition: membership.RollbackOf(MaxStamp),
		Swept: math.MaxUint64, Done: math.MaxUint64, Purged: MaxStamp, Returns: MaxReturns, Since: 253402300799}}
	b := meta.Encode()
	if len(b) > 512 {
		t.Errorf("%d bytes, want at most 512", len(b))
	}
	if got, err := DecodeMeta(meta.Record.ID, b); err != nil || got != meta {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestEveryTruncation: a message that ends early is an error, wherever it ends.
func TestEveryTruncation(t *testing.T) {
	meta, message := goldenValues()
	for whole := meta.Encode(); len(whole) > 0; {
		whole = whole[:len(whole)-1]
		if got, err := DecodeMeta("a", whole); !errors.Is(err, errShort) || got != (Meta{}) {
			t.Errorf("meta of %d bytes: %+v, %v", len(whole), got, err)
		}
	}
	for whole := message.Encode(); len(whole) > 0; {
		whole = whole[:len(whole)-1]
		if got, err := DecodeMessage(whole); !errors.Is(err, errShort) || !reflect.DeepEqual(got, Message{}) {
			t.Errorf("message of %d bytes: %+v, %v", len(whole), got, err)
		}
	}
}

// TestOtherVersion: a member of a later version may send anything after the
// first byte; it is told apart from rubbish.
func TestOtherVersion(t *testing.T) {
	for _, rest := range []string{"", "anything", "\x00"} {
		for _, version := range []byte{0, Version + 1, 255} {
			b := append([]byte{version}, rest...)
			_, err := DecodeMeta("a", b)
			_, err2 := DecodeMessage(b)
			for _, err := range []error{err, err2} {
				var wrong *VersionError
				if !errors.As(err, &wrong) || wrong.Got != version || !errors.Is(err, ErrVersion) {
					t.Errorf("version %d: got %v", version, err)
				}
			}
		}
	}
	want := "gossip message of version 3, want 2"
	if got := (&VersionError{Got: 3}).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRefused holds what no member of this version sends.
func TestRefused(t *testing.T) {
	meta, message := goldenValues()
	cut := func(from, to string) string {
		if strings.Count(goldenMessage, from) == 0 {
			t.Fatal("nothing to replace:", from)
		}
		return strings.Replace(goldenMessage, from, to, 1)
	}
	for _, c := range []struct{ name, bytes, want string }{
		{"bytes after the end", goldenMessage + "00", "1 bytes after its end"},
		{"kind 0", cut("0161"+goldenRecord[:2], "0161"+"00"), "kind: got 0"},
		{"kind 4", cut("0172"+goldenOther[:2], "0172"+"04"), "kind: got 4"},
		{"a router's record", cut("0172"+goldenOther[:2], "0172"+"03"), "kind: got router"},
		{"state 0", cut("3ff8000000000000"+"04", "3ff8000000000000"+"00"), "state: got 0"},
		{"state 8", cut("3ff8000000000000"+"04", "3ff8000000000000"+"08"), "state: got 8"},
		{"step 8", cut("3ff8000000000000"+"0403", "3ff8000000000000"+"0408"), "state: got 8"},
		{"flag 2", cut("4000000000000000"+"01", "4000000000000000"+"02"), "flag: got 2"},
		{"an abort in stage 0", cut("012b03"+goldenAbort, "012b00"+goldenAbort), "stage: got 0"},
		{"an abort in stage 4", cut("012b03"+goldenAbort, "012b04"+goldenAbort), "stage: got 4"},
		{"a number in a longer form", cut("666c656574"+"ad02", "666c656574"+"ad8200"), "more bytes than it needs"},
		{"a number of more than 64 bits", cut("666c656574"+"ad02", "666c656574"+"ffffffffffffffffff02"), "than 64 bits have"},
		{"a stamp that leaves no room", cut("666c656574"+"ad02", "666c656574"+"8180808080808080"+"40"), "epoch: got"},
	} {
		b, err := hex.DecodeString(c.bytes)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got, err := DecodeMessage(b); err == nil || !strings.Contains(err.Error(), c.want) || !reflect.DeepEqual(got, Message{}) {
			t.Errorf("%s: got %+v, %v, want an error with %q", c.name, got, err, c.want)
		}
	}
	meta.Cluster, message.Cluster = strings.Repeat("c", 65), strings.Repeat("c", 65)
	_, err := DecodeMeta("a", meta.Encode())
	mustFail(t, "meta: cluster of 65 bytes", err)
	_, err = DecodeMessage(message.Encode())
	mustFail(t, "message: cluster of 65 bytes", err)
	meta.Cluster, meta.HTTP = "c", strings.Repeat("h", MaxHTTPLength+1)
	_, err = DecodeMeta("a", meta.Encode())
	mustFail(t, "meta: an HTTP address of 57 bytes", err)
	meta.HTTP = ""
	_, err = DecodeMeta("a", append(meta.Encode(), 0))
	mustFail(t, "meta: bytes after the end", err)
	_, err = DecodeMeta("", meta.Encode())
	mustFail(t, "meta of a member without a name", err)
	meta.Kind = membership.Memcached
	_, err = DecodeMeta("a", meta.Encode())
	mustFail(t, "meta: a record of another kind", err)
	message.Cluster, message.Evictions[0].Stamp = "c", 0
	_, err = DecodeMessage(message.Encode())
	mustFail(t, "an eviction without a stamp", err)
}

// TestCountsAreNotBelieved: a message may claim any number of records, evictions
// or bytes; memory is taken only for what is there.
func TestCountsAreNotBelieved(t *testing.T) {
	huge := "808080808080808010" // 2^60
	for name, text := range map[string]string{
		"records":         "02" + "00" + "00" + huge,
		"evictions":       "02" + "00" + "00" + "00" + huge,
		"aborts":          "02" + "00" + "00" + "00" + "00" + huge,
		"bytes of a name": "02" + huge,
		"bytes of an ID":  "02" + "00" + "00" + "02" + huge,
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = DecodeMessage(b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errShort) {
			t.Errorf("2^60 %s: got %v", name, err)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
			t.Errorf("2^60 %s: %d bytes allocated", name, taken)
		}
	}
}
