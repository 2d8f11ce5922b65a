package workload

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/twitter-2020Mar-presets.csv
var presetTable []byte

// Preset is what is known of one cache cluster. A figure that the source does not
// have is 0, and named in Missing.
type Preset struct {
	Name             string  // "cluster1" … "cluster54"
	MissRatio        float64 // in production, for comparison; it decides nothing
	KeySize          int64   // bytes, mean
	ValueSize        int64   // bytes, mean
	RequestRate      float64 // requests a second
	RequestsPerKey   float64 // mean
	TTLs             []TTL
	Ops              Ops
	Alpha            float64 // of Zipf
	Missing          []string
	OperationsSource string // as the source has it: "get:0.96 add:0.04"
}

var loadPresets = sync.OnceValue(func() []Preset {
	rows, err := csv.NewReader(bytes.NewReader(presetTable)).ReadAll()
	if err != nil {
		panic("workload: the presets of this package: " + err.Error())
	}
	presets := make([]Preset, 0, len(rows)-1)
	for _, row := range rows[1:] {
		p, err := parsePreset(rows[0], row)
		if err != nil {
			panic("workload: the presets of this package: " + row[0] + ": " + err.Error())
		}
		presets = append(presets, p)
	}
	return presets
})

// Presets returns all of them, in the order of their numbers. The slice is the
// caller's; what its presets refer to is shared, and not to be changed.
func Presets() []Preset { return slices.Clone(loadPresets()) }

// FindPreset returns the preset of that name, and whether there is one.
func FindPreset(name string) (Preset, bool) {
	all := loadPresets()
	i := slices.IndexFunc(all, func(p Preset) bool { return p.Name == name })
	if i < 0 {
		return Preset{}, false
	}
	return all[i], true
}

// Config returns a workload with this preset's figures: so many requests, over as
// many keys as the mean requests a key make of that. It is for the caller to
// change: what is Missing must be filled in.
func (p Preset) Config(requests int64) Config {
	keys := 1
	if p.RequestsPerKey > 0 {
		keys = int(max(1, min(float64(requests)/p.RequestsPerKey, MaxKeys)))
	}
	return Config{
		Popularity: Zipf, Keys: keys, Requests: requests, Alpha: p.Alpha,
		Ops: p.Ops, KeySize: p.KeySize, ValueSize: p.ValueSize, TTLs: p.TTLs,
		Title: "twitter " + p.Name,
	}
}

func parsePreset(header, row []string) (p Preset, err error) {
	number := func(column string) float64 {
		text := row[slices.Index(header, column)]
		if text == "" {
			p.Missing = append(p.Missing, column)
			return 0
		}
		x, bad := strconv.ParseFloat(text, 64)
		if bad != nil && err == nil {
			err = bad
		}
		return x
	}
	p.Name = row[slices.Index(header, "cluster")]
	p.MissRatio = number("production_miss_ratio")
	p.KeySize, p.ValueSize = int64(number("key_size")), int64(number("value_size"))
	p.RequestRate, p.RequestsPerKey = 1000*number("request_rate_kqps"), number("mean_freq")
	p.Alpha = number("zipf_alpha")
	if err != nil {
		return p, err
	}
	if p.TTLs, err = parseTTLs(row[slices.Index(header, "common_ttl")]); err != nil {
		return p, err
	}
	p.OperationsSource = row[slices.Index(header, "operations")]
	if p.OperationsSource == "" {
		p.Missing = append(p.Missing, "operations")
	}
	p.Ops, err = ParseOps(strings.Fields(p.OperationsSource))
	return p, err
}

// ParseOps reads parts such as "get:0.9", "set:0.1". The operations are those of
// package trace, which fold into four.
func ParseOps(parts []string) (Ops, error) {
	var o Ops
	for _, part := range parts {
		name, text, _ := strings.Cut(part, ":")
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return o, &Error{"operations", strconv.Quote(part), "an operation and its part from 0 to 1, such as get:0.9"}
		}
		switch name {
		case "get", "gets":
			o.Get += share
		case "set", "add":
			o.Set += share
		case "replace", "cas", "append", "prepend", "incr", "decr", "update":
			o.Update += share
		case "delete":
			o.Delete += share
		default:
			return o, &Error{"operations", strconv.Quote(part), "get, set, update or delete"}
		}
	}
	return o, nil
}

// parseTTLs reads "4d:0.59 2d:0.41".
func parseTTLs(text string) ([]TTL, error) {
	var out []TTL
	for _, part := range strings.Fields(text) {
		long, share, _ := strings.Cut(part, ":")
		units := map[byte]float64{'s': 1, 'h': 3600, 'd': 86400}
		if long == "" || units[long[len(long)-1]] == 0 {
			return nil, fmt.Errorf("the TTL %q", part)
		}
		number, err := strconv.ParseFloat(long[:len(long)-1], 64)
		if err != nil {
			return nil, err
		}
		part, err := strconv.ParseFloat(share, 64)
		if err != nil {
			return nil, err
		}
		out = append(out, TTL{Seconds: int64(number*units[long[len(long)-1]] + 0.5), Share: part})
	}
	return out, nil
}
