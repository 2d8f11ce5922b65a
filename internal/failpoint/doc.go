// Package failpoint lets tests kill a process at a named place of its code, as
// kill -9 would.
//
// In every ordinary build [At] is empty and costs nothing. Built with the tag
// failpoint, a process looks at the file that the environment variable
// FAILPOINT_FILE names each time it comes to a place. The file says "NAME N": at
// the N-th time from then on that the process comes to that place it removes the
// file and dies by SIGKILL, with nothing closed, flushed or said. So a process that
// is started again lives until the file is written again.
package failpoint
