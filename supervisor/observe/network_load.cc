#include "observe/network_load.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include "linux/base/file_id.h"
#include "linux/proc/process_usage.h"
#include "linux/sockets/socket_list.h"
#include "observe/address_place.h"

namespace graced {
namespace {

constexpr unsigned listening = 1U << TCP_LISTEN;
constexpr unsigned open = 1U << TCP_ESTABLISHED | 1U << TCP_CLOSE_WAIT;
constexpr unsigned of_datagrams = 1U << TCP_ESTABLISHED | 1U << TCP_CLOSE;

// An address of one of the instances.
struct Place {
  AddressPlace where;
  std::size_t instance;
  AddressLoad* load;
};

template <class Number>
void add(std::optional<Number>& sum, std::uint64_t more) {
  sum = static_cast<Number>(sum.value_or(0) + more);
}

void see_queue(AddressLoad& load, unsigned waiting, unsigned longest) {
  const auto fuller = [](std::uint64_t w, std::uint64_t l, std::uint64_t than_w, std::uint64_t than_l) {
    return w * std::max<std::uint64_t>(1, than_l) > than_w * std::max<std::uint64_t>(1, l);
  };
  if (load.waiting && fuller(*load.waiting, *load.longest, waiting, longest)) return;
  if (load.waiting && !fuller(waiting, longest, *load.waiting, *load.longest) && *load.longest >= longest)
    return;
  load.waiting = waiting;
  load.longest = longest;
}

class NetworkLook {
 public:
  explicit NetworkLook(std::size_t instances) : accepted_(instances) {}

  void add_place(Place place) {
    if (place.where.is_ip())
      by_port_[place.where.endpoint.port].push_back(std::move(place));
    else
      unix_places_.push_back({std::move(place), {}});
  }

  std::vector<AcceptedSockets> go() && {
    SocketList list;
    look([&] { tcp(list); });
    look([&] { udp(list); });
    look([&] { unix_sockets(list); });
    return std::move(accepted_);
  }

  std::vector<AcceptedSockets> nothing() && { return std::move(accepted_); }

 private:
  // Not every kernel has every list.
  static void look(const std::function<void()>& at) {
    try {
      at();
    } catch (const std::system_error&) {}
  }

  TcpPlaces places(AddressPlace::Kind kind, int protocol) const {
    TcpPlaces asked{.protocols = {protocol}, .families = {AF_INET, AF_INET6}, .ports = {}};
    for (const auto& [port, all] : by_port_)
      if (std::ranges::any_of(all, [&](const Place& p) { return p.where.kind == kind; }))
        asked.ports.insert(port);
    return asked;
  }

  template <class Matches, class Found>
  void each_place(AddressPlace::Kind kind, std::uint16_t port, const Matches& matches, const Found& found) {
    const auto at = by_port_.find(port);
    if (at == by_port_.end()) return;
    for (const Place& p : at->second)
      if (p.where.kind == kind && matches(p.where.endpoint)) found(p);
  }

  void tcp(SocketList& list) {
    constexpr auto kind = AddressPlace::Kind::tcp;
    const TcpPlaces asked = places(kind, IPPROTO_TCP);
    if (asked.empty()) return;
    list.each_tcp(asked, {listening, std::nullopt, false, true}, [&](const TcpSeen& s) {
      each_place(
          kind, s.local.port, [&](const Endpoint& e) { return e == s.local; },
          [&](const Place& p) {
            see_queue(*p.load, s.counts.unread, s.counts.unacknowledged);  // so the kernel tells them
            if (s.drops) add(p.load->drops, *s.drops);
            add(p.load->connected, 0);
          });
    });
    list.each_tcp(asked, {open, std::nullopt, false}, [&](const TcpSeen& s) {
      if (s.inode == 0) return;  // in the queue
      each_place(
          kind, s.local.port, [&](const Endpoint& e) { return covers(e, s.local); },
          [&](const Place& p) {
            add(p.load->connected, 1);
            accepted_[p.instance].insert(s.inode);
          });
    });
  }

  void udp(SocketList& list) {
    constexpr auto kind = AddressPlace::Kind::udp;
    const TcpPlaces asked = places(kind, IPPROTO_UDP);
    if (asked.empty()) return;
    list.each_tcp(asked, {of_datagrams, std::nullopt, false, true}, [&](const TcpSeen& s) {
      each_place(
          kind, s.local.port, [&](const Endpoint& e) { return e == s.local; },
          [&](const Place& p) {
            if (s.drops) add(p.load->drops, *s.drops);
          });
    });
  }

  // A path is compared by the file: others may have the same path in another mount namespace.
  struct UnixPlace {
    Place place;
    FileId file;
  };

  void unix_sockets(SocketList& list) {
    if (unix_places_.empty()) return;
    for (UnixPlace& p : unix_places_)
      if (!p.place.where.is_abstract()) p.file = file_in_list(file_id(p.place.where.path.c_str()));
    list.each_unix_listener([&](const UnixListenerSeen& s) {
      each_unix_place(s, [&](const Place& p) {
        see_queue(*p.load, s.queue.waiting, s.queue.longest);
        add(p.load->connected, 0);
      });
    });
    list.each_unix_connection([&](const UnixSeen& s) {
      if (s.inode == 0) return;  // in the queue
      each_unix_place(s, [&](const Place& p) {
        if (!p.load->connected) return;  // nobody listens there any more
        add(p.load->connected, 1);
        accepted_[p.instance].insert(s.inode);
      });
    });
  }

  template <class Seen, class Found>
  void each_unix_place(const Seen& s, const Found& found) {
    for (const UnixPlace& p : unix_places_) {
      if (p.place.where.kind != AddressPlace::Kind::unix_stream) continue;
      const bool same =
          p.place.where.is_abstract() ? s.name == p.place.where.path : p.file != FileId{} && s.file == p.file;
      if (same) found(p.place);
    }
  }

  std::map<std::uint16_t, std::vector<Place>> by_port_;
  std::vector<UnixPlace> unix_places_;
  std::vector<AcceptedSockets> accepted_;
};

}  // namespace

std::vector<AcceptedSockets> look_at_network(std::vector<ObservedInstance>& instances) {
  NetworkLook look(instances.size());
  for (std::size_t i = 0; i < instances.size(); ++i) {
    ObservedInstance& instance = instances[i];
    for (const AddressReport& a : instance.report.addresses) {
      if (std::ranges::find(instance.addresses, a.address, &AddressLoad::address) == instance.addresses.end())
        instance.addresses.push_back({a.address, {}, {}, {}, {}});
    }
    if (!instance.process || !is_in_own_network(*instance.process).value_or(false)) continue;
    for (AddressLoad& load : instance.addresses)
      if (auto where = read_address_place(load.address)) look.add_place({std::move(*where), i, &load});
  }
  try {
    return std::move(look).go();
  } catch (const std::system_error&) { return std::move(look).nothing(); }
}

}  // namespace graced
