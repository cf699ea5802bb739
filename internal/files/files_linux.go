package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

func allocate(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return writeZeros(f, 0, size)
	}
	return err
}

func zeroRange(f *os.File, from, to int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_ZERO_RANGE, from, to-from)
}

// reallocate fills holes. A filesystem that cannot allocate has made none either.
func reallocate(f *os.File, from, to int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, from, to-from)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

func syncData(f *os.File) error {
	return os.NewSyscallError("fdatasync "+f.Name(), unix.Fdatasync(int(f.Fd())))
}

func syncMapped(f *os.File, data []byte) error {
	return os.NewSyscallError("msync "+f.Name(), unix.Msync(data, unix.MS_SYNC))
}

func cachedDirty(f *os.File, from, to int64) (n int64, err error) {
	var stat unix.Cachestat_t
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Off: uint64(from), Len: uint64(to - from)}, &stat, 0)
	return int64(stat.Dirty), os.NewSyscallError("cachestat "+f.Name(), err)
}

// networkFilesystems are those whose mappings are not coherent between hosts,
// or whose locks do not say whether a process on this host lives: f_type of
// statfs(2).
var networkFilesystems = map[uint32]string{
	0x6969:     "NFS",
	0x517B:     "SMB",
	0xFF534D42: "CIFS",
	0xFE534D42: "SMB2",
	0x00C36400: "Ceph",
	0x65735546: "FUSE",
	0x01021997: "9P",
	0x5346414F: "AFS",
	0x73757245: "Coda",
	0x0BD00BD0: "Lustre",
	0x01161970: "GFS2",
	0x7461636F: "OCFS2",
	0x564C:     "NCP",
	0x19830326: "FhGFS/BeeGFS",
	0x47504653: "GPFS",
}

// NetworkFilesystem returns the name of the network filesystem that holds path,
// or "" when it is a local one.
func NetworkFilesystem(path string) (string, error) {
	var st unix.Statfs_t
	if err := seam.Do("statfs", path, func() error { return unix.Statfs(path, &st) }); err != nil {
		return "", &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return networkFilesystems[uint32(st.Type)], nil
}
