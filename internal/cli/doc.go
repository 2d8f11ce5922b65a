// Package cli is what the commands of this module share: exit codes and errors
// on one line, output formats, tables, progress and the handling of Ctrl-C.
//
// A command builds its whole result before it prints, so that an error never
// follows half an output: results go to standard output in one write, whatever
// else there is to say to standard error.
package cli
