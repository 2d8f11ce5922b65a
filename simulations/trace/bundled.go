package trace

import (
	"bytes"
	_ "embed"
)

//go:embed data/web12.keys.gz
var bundled []byte

// BundledName is the Name of the bundled trace.
const BundledName = "bundled:web12"

// Bundled opens the trace that is part of this package: 95,607 requests for
// 13,756 products of a web shop in December. See data/README.md for its source
// and its licence, CC BY 4.0. The caller closes the Reader.
func Bundled(cfg Config) (*Reader, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return newReader(bytes.NewReader(bundled), BundledName, nil, int64(len(bundled)), cfg)
}
