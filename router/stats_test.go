package router

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestHistogramBuckets(t *testing.T) {
	var h Histogram
	if h.Bound(0) != 8*time.Microsecond || h.Bound(1) != 16*time.Microsecond || h.Bound(histogramBuckets-1) != 0 {
		t.Errorf("bounds: %v, %v … %v", h.Bound(0), h.Bound(1), h.Bound(histogramBuckets-1))
	}
	for i := range histogramBuckets {
		var c counters
		low := time.Duration(0)
		if i > 0 {
			low = h.Bound(i - 1)
		}
		high := h.Bound(i) - 1
		if i == histogramBuckets-1 {
			high = 1000 * time.Hour
		}
		c.observe(low)
		c.observe(high)
		got := c.histogram()
		if got.Counts[i] != 2 || got.Total() != 2 || got.Sum != low+high {
			t.Errorf("bucket %d from %v to %v: %v, sum %v", i, low, high, got.Counts, got.Sum)
		}
	}
	var c counters
	c.observe(-time.Second) // a clock that went back
	if c.histogram().Counts[0] != 1 {
		t.Error("a negative duration is not in the first bucket")
	}
}

func TestHistogramQuantile(t *testing.T) {
	if q := (Histogram{}).Quantile(0.5); q != 0 {
		t.Errorf("the median of nothing: %v", q)
	}
	var c counters
	for range 90 {
		c.observe(10 * time.Microsecond)
	}
	for range 10 {
		c.observe(10 * time.Millisecond)
	}
	h := c.histogram()
	for _, tt := range []struct {
		q    float64
		want time.Duration
	}{{0, 16 * time.Microsecond}, {0.5, 16 * time.Microsecond}, {0.89, 16 * time.Microsecond},
		{0.9, 16384 * time.Microsecond}, {0.99, 16384 * time.Microsecond}, {1, 16384 * time.Microsecond}} {
		if got := h.Quantile(tt.q); got != tt.want {
			t.Errorf("quantile %v: got %v, want %v", tt.q, got, tt.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	_, notANumber := strconv.ParseInt("x", 10, 64)
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, tt := range []struct {
		err  error
		want errorKind
	}{
		{nil, fine},
		{redis.Nil, fine},
		{redis.ErrNoScript, reply},
		{fmt.Errorf("around: %w", redis.ErrNoScript), reply},
		{redis.TxFailedErr, reply},
		{notANumber, reply},
		{context.Canceled, canceled},
		{fmt.Errorf("around: %w", context.Canceled), canceled},
		{context.DeadlineExceeded, timeout},
		{os.ErrDeadlineExceeded, timeout},
		{redis.ErrPoolTimeout, local},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, timeout},
		{redis.ErrClosed, network},
		{io.EOF, network},
		{io.ErrUnexpectedEOF, network},
		{dial, network},
		{syscall.ECONNRESET, network},
		{x509.UnknownAuthorityError{}, network},
		{errors.New("anything"), network},
	} {
		if got := kindOf(tt.err); got != tt.want {
			t.Errorf("%v (%T): got %d, want %d", tt.err, tt.err, got, tt.want)
		}
	}
	if !notSent(dial) || !notSent(ErrBreakerOpen) || notSent(io.EOF) || notSent(os.ErrDeadlineExceeded) {
		t.Error("notSent is not about dials and open breakers")
	}
}
