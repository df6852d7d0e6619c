package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is a row for each figure and a column for each contender.
type table struct {
	columns []string
	rows    []string
	cells   map[[2]string]string // of row and column
}

// set enters a figure of a contender's. Rows are in the order in which they were first mentioned.
func (t *table) set(row, column, value string) {
	known := false
	for _, r := range t.rows {
		known = known || r == row
	}
	if !known {
		t.rows = append(t.rows, row)
	}
	if t.cells == nil {
		t.cells = map[[2]string]string{}
	}
	t.cells[[2]string{row, column}] = value
}

// write writes the table in Markdown, with columns that people can read, too. What has no counterpart is a dash.
func (t *table) write(w io.Writer) error {
	lines := [][]string{append([]string{"figure"}, t.columns...), nil}
	for _, row := range t.rows {
		line := []string{row}
		for _, column := range t.columns {
			value, ok := t.cells[[2]string{row, column}]
			if !ok {
				value = "-"
			}
			line = append(line, value)
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		var b strings.Builder
		for i, width := range widths {
			if line == nil {
				fmt.Fprintf(&b, "|%s", strings.Repeat("-", width+2))
			} else {
				fmt.Fprintf(&b, "| %-*s ", width, line[i])
			}
		}
		if _, err := fmt.Fprintf(w, "%s|\n", &b); err != nil {
			return err
		}
	}
	return nil
}
