// A listener as one image of graced hands it to the next. What follows from the socket is not asked of it
// again: it may be hidden, or have another name by now than it was bound to.
#include <utility>

#include "linux/base/inode.h"
#include "linux/sockets/listener.h"

namespace graced {

Listener::Kept Listener::kept() const {
  return {spec_,      fd_.get(),    path_.kept(), kind_,   address_,   made_by_graced_,
          stands_in_, is_directed_, queue_,       hidden_, not_aside_, key_};
}

Listener::Listener(Kept kept)
    : spec_(std::move(kept.spec)),
      fd_(kept.fd),
      inode_(inode_of(kept.fd)),
      path_(std::move(kept.path)),
      kind_(kept.kind),
      address_(std::move(kept.address)),
      made_by_graced_(kept.made_by_graced),
      stands_in_(kept.stands_in),
      is_directed_(kept.is_directed),
      queue_(kept.queue),
      hidden_(kept.hidden),
      not_aside_(kept.not_aside),
      key_(std::move(kept.key)) {}

}  // namespace graced
