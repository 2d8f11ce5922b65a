package memcache

// flushRounds is how often one caller writes what others have appended meanwhile
// before it leaves that to a goroutine.
const flushRounds = 4

// flush writes until nothing is left to be written. The caller has set writing,
// and flush or a goroutine that it starts clears it. It never waits for the
// network: a caller whose context ends would have to wait with it.
func (cn *conn) flush() {
	var buf []byte
	for range flushRounds {
		buf = cn.nextOut(buf)
		if buf == nil {
			return
		}
		n, err := cn.raw.try(buf)
		if err != nil {
			cn.writeFailed(buf, n, err)
			return
		}
		if n < len(buf) {
			go cn.flushSlowly(buf, n)
			return
		}
	}
	go cn.flushSlowly(buf, len(buf))
}

// flushSlowly does the same and may wait. It ends with the connection at the
// latest, since that closes the socket under its write.
func (cn *conn) flushSlowly(buf []byte, from int) {
	for {
		if from < len(buf) {
			n, err := cn.nc.Write(buf[from:])
			if err != nil {
				cn.writeFailed(buf, from+n, err)
				return
			}
		}
		from = 0
		if buf = cn.nextOut(buf); buf == nil {
			return
		}
	}
}

// nextOut takes over what is to be written and gives back the buffer of the last
// time, if any. If there is nothing, or it is in vain, it clears writing and
// returns nil.
func (cn *conn) nextOut(spare []byte) []byte {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cap(spare) <= maxKeptBuffer && spare != nil {
		cn.spare = spare
	}
	if len(cn.out) == 0 || cn.err != nil {
		cn.writing = false
		cn.idle.Broadcast()
		return nil
	}
	buf := cn.out
	cn.out, cn.spare = cn.spare[:0], nil
	cn.handed = cn.appended
	cn.giveRoom()
	return buf
}

const maxKeptBuffer = 256 << 10

// writeFailed gives the connection up. n bytes of buf were taken by the
// network: what was appended behind them was certainly never sent.
func (cn *conn) writeFailed(buf []byte, n int, err error) {
	cn.mu.Lock()
	if cn.direct { // others may have sent more than they say
		cn.handed -= uint64(len(buf) - n)
	}
	cn.mu.Unlock()
	cn.fail(err)
	cn.mu.Lock()
	cn.writing = false
	cn.idle.Broadcast()
	cn.mu.Unlock()
}
