package main

import (
	"errors"

	"github.com/spf13/pflag"
)

// once makes it an error to give a flag twice, but for lists: the one that is ignored may be the one that was meant.
func once(f *pflag.FlagSet) {
	f.VisitAll(func(flag *pflag.Flag) {
		if _, list := flag.Value.(pflag.SliceValue); !list {
			flag.Value = &onceValue{Value: flag.Value}
		}
	})
}

type onceValue struct {
	pflag.Value
	given bool
}

// Set implements pflag.Value.
func (v *onceValue) Set(s string) error {
	if v.given {
		return errors.New("it is given twice")
	}
	v.given = true
	return v.Value.Set(s)
}
