package trace

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// naive reads a table by encoding/csv and maps: too simple to be wrong. ok
// is false where the table is unfit; control characters and lengths are not looked
// at, and fractions are refused.
func naive(text string, meta bool) (all []request, ok bool) {
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		return nil, false
	}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			if name = strings.ToLower(strings.Trim(name, "\" \t")); row[name] != "" {
				return nil, false // two of a name
			}
			row[name] = record[i] + "." // tells an empty cell from none
		}
		r, repeat := request{Key: strings.TrimSuffix(row["key"], "."), Size: Unknown, Time: Unknown}, int64(1)
		r.KeySize = int64(len(r.Key))
		timeName := "time"
		if row["time"] == "" {
			timeName = "timestamp"
		}
		if meta {
			timeName = "op_time"
		}
		numbers := map[string]*int64{"ttl": &r.TTL, "size": &r.Size, timeName: &r.Time}
		if meta {
			numbers["key_size"], numbers["op_count"] = &r.KeySize, &repeat
		}
		for name, dst := range numbers {
			if cell := strings.TrimSuffix(row[name], "."); cell != "" {
				if *dst, err = strconv.ParseInt(cell, 10, 64); err != nil || *dst < 0 || cell[0] == '+' {
					return nil, false
				}
			}
		}
		if row["op"] != "" {
			if r.Op, ok = parseOp([]byte(strings.TrimSuffix(row["op"], "."))); !ok {
				return nil, false
			}
		} else if meta {
			return nil, false
		}
		if r.Key == "" || repeat < 1 || repeat > 1000 {
			return nil, false
		}
		for range repeat {
			all = append(all, r)
		}
	}
	return all, len(all) > 0
}

// The real rows of each source are guessed, and read as the oracle reads them.
// The counts of operations are those of awk over the files.
func TestFixtures(t *testing.T) {
	for _, c := range []struct {
		file   string
		format Format
		has    Has
		ops    [4]int // Get, Set, Update, Delete
	}{
		{"meta-kv-2024-sample1.csv", MetaKV, Has{true, true, true, true}, [4]int{511 + 167, 8 + 2, 0, 3}},
		{"meta-kv-2024-sample2.csv", MetaKV, Has{true, true, true, true}, [4]int{383 + 35, 9 + 5, 0, 1}},
		{"meta-kv-202206-tail.csv", MetaKV, Has{Op: true, Size: true}, [4]int{23, 3, 0, 0}},
		{"twitter-cluster052-5rows.csv", Twitter, Has{true, true, true, true}, [4]int{5, 0, 0, 0}},
	} {
		t.Run(c.file, func(t *testing.T) {
			path := filepath.Join("testdata", c.file)
			r, err := Open(path, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if r.Format() != c.format || r.Has() != c.has {
				t.Errorf("format %v, has %+v", r.Format(), r.Has())
			}
			got, err := readAll(r)
			if err != nil {
				t.Fatal(err)
			}
			var ops [4]int
			for _, r := range got {
				ops[r.Op]++
			}
			if ops != c.ops {
				t.Errorf("operations %v, want %v", ops, c.ops)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if c.format == Twitter {
				equalRequests(t, got[:1], []request{{"q:q:1:8WTfjZU14ee", Get, 213, 17, 0, 0}})
				return
			}
			want, ok := naive(string(text), true)
			if !ok {
				t.Fatal("the oracle refuses the file")
			}
			equalRequests(t, got, want)
		})
	}
}
