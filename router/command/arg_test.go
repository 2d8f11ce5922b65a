package command_test

import (
	"context"
	"errors"
	"math"
	"net"
	"testing"
	"time"

	"github.com/ringway/ringway/router/command"
)

type marshaler struct{ text string }

func (m marshaler) MarshalBinary() ([]byte, error) {
	if m.text == "" {
		return nil, errors.New("nothing to marshal")
	}
	return []byte(m.text), nil
}

type named string

func ptr[T any](v T) *T { return &v }

// TestKeyStringIsWhatIsSent asks a server to echo arguments of all types.
func TestKeyStringIsWhatIsSent(t *testing.T) {
	ctx := context.Background()
	client := connect(t)
	when := time.Date(2024, 2, 29, 12, 30, 0, 123456789, time.FixedZone("", 3600))
	for _, arg := range []any{
		"text", "", "\x00\xff\r\n", []byte("bytes"), []byte{}, []byte(nil), nil, marshaler{"marshalled"}, marshaler{},
		0, -1, 99, 100, math.MaxInt, int8(-8), int16(-16), int32(-32), int64(math.MinInt64),
		uint(1), uint8(8), uint16(16), uint32(32), uint64(math.MaxUint64), uintptr(7),
		float32(0.1), 1.5, 1e21, 1e-7, math.Copysign(0, -1), math.Inf(1), math.NaN(), 3.0, true, false,
		when, 1500 * time.Millisecond, net.IPv4(127, 0, 0, 1),
		ptr("text"), ptr(5), ptr(int8(5)), ptr(int16(5)), ptr(int32(5)), ptr(int64(5)), ptr(uint(5)), ptr(uint8(5)),
		ptr(uint16(5)), ptr(uint32(5)), ptr(uint64(5)), ptr(uintptr(5)), ptr(float32(0.5)), ptr(2.5), ptr(true), ptr(false),
		ptr(when), ptr(time.Second), &marshaler{"by pointer"},
		(*string)(nil), (*int)(nil), (*int8)(nil), (*int16)(nil), (*int32)(nil), (*int64)(nil), (*uint)(nil), (*uint8)(nil),
		(*uint16)(nil), (*uint32)(nil), (*uint64)(nil), (*uintptr)(nil), (*float32)(nil), (*float64)(nil), (*bool)(nil),
		(*time.Time)(nil), (*time.Duration)(nil),
		named("no"), struct{}{}, []string{"no"}, map[string]string{}, complex(1, 2), ptr(named("no")), ptr([]byte("no")),
	} {
		want, err := client.Do(ctx, "ECHO", arg).Text()
		got, sent := command.KeyString(arg)
		if sent != (err == nil) || sent && got != want {
			t.Errorf("%T %v: %q, %t; go-redis sends %q, %v", arg, arg, got, sent, want, err)
		}
	}
}

func TestKeyStringIsAView(t *testing.T) {
	b := []byte("key")
	s, _ := command.KeyString(b)
	b[0] = 'h'
	if s != "hey" {
		t.Errorf("%q: a copy of the bytes", s)
	}
}
