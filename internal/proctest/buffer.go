package proctest

import (
	"bytes"
	"sync"
)

// Buffer is written by a process or a goroutine while a test reads it. The zero
// value is empty. It is safe for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

// Write implements io.Writer. It never fails.
func (l *Buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tail returns the end of what was written: at most some KB.
func (l *Buffer) Tail() string {
	const most = 12 << 10 // bytes
	text := l.String()
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}
