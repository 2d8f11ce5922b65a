package dataserver

import "errors"

// What may be wrong with a server, or a Config. Test with errors.Is: they come
// with the operation, the server and its own words. An error that is none of
// these is the network's, or one that the server gave for a reason of its own.
var (
	// ErrInvalidConfig: Open refused its Config. Nothing was started.
	ErrInvalidConfig = errors.New("dataserver: config")

	// ErrCredentials: the server does not take the user name or the password,
	// wants some and has been given none, or does not permit a command.
	ErrCredentials = errors.New("credentials refused")

	// ErrLoading: the server reads its data from disk and is not ready yet.
	ErrLoading = errors.New("the server is loading its data")

	// ErrReplica: the server follows another one, which overwrites what it
	// holds and may forbid writes. A replica cannot be a node.
	ErrReplica = errors.New("the server is a replica, want a master")

	// ErrMode: the server is a sentinel or belongs to a Redis cluster, which
	// has a mind of its own about who owns a key.
	ErrMode = errors.New("the server runs in another mode, want standalone")

	// ErrNoAnswer: nothing came within Config.Timeout, or ten times that in a
	// walk over the keys. The server may yet do what it was asked for.
	ErrNoAnswer = errors.New("no answer")

	// ErrConnectionLost: the connection ended during a walk over the keys, which
	// cannot be carried on: the server may be another process by now. What was
	// removed stays removed; begin anew.
	ErrConnectionLost = errors.New("connection lost")

	// ErrBusy: memcached's crawler served others all the time.
	ErrBusy = errors.New("the server's crawler is busy")

	// ErrUnnameable: memcached holds keys of a form that only its binary
	// protocol can name: longer than 186 bytes, with spaces or control
	// characters. All others were removed.
	ErrUnnameable = errors.New("keys that the meta protocol cannot name")

	// ErrEndless: a walk over the keys found no end.
	ErrEndless = errors.New("the walk over the keys does not end")

	// ErrClosed: the Server was closed, before or during the call.
	ErrClosed = errors.New("closed")
)
